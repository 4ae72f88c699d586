"""`nshell agent run`: the agent as it stays on a hypervisor, until SIGTERM.

    upkeep, every 2 s: the uplink has its addresses, the tunnel neighbours are resolved
    one connection per controller: hello, neighbours, diagnostics
    renewal, at two thirds of the certificate's life: a new key and certificate, asked for over one of these connections
Open vSwitch may be stopped and started meanwhile; the agent waits for it.  Stopping the agent loses nothing.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import agent
from agent import uplink
from agent.diagnostics import Diagnostics
from agent.host import Ovs
from agent.join import endpoints, system_id
from agent.neighbours import CHECK_INTERVAL, Neighbours
from agent.rpc import Controller, Handler
from agent.trust import Files, Granted
from data.errors import CommandFailed, NshellError

log = logging.getLogger("nshell.agent")

RENEWAL_CHECK = 3600.0  # seconds at most between two looks at the certificate
RENEWAL_RETRY = (5.0, 600.0)  # seconds, the least and the most, to the next attempt after one that failed


class Service:
    """The agent of one host."""

    def __init__(self, ovs: Ovs) -> None:
        root = ovs.root()
        name = system_id(ovs)
        self.endpoints = endpoints(ovs)
        if name is None or not self.endpoints:
            raise CommandFailed(
                "agent",
                "this host has not joined a fabric",
                "nshell agent join --controller HOST --system-id NAME",
            )
        self.name = name
        self._ovs = ovs
        self._wake = asyncio.Event()
        self._neighbours = Neighbours(ovs, userspace=root["external_ids"].get("nshell-datapath") == "netdev")
        self._diagnostics = Diagnostics(ovs)
        self._trouble = ""
        self._files = Files(ovs.location)

    async def run(self) -> None:
        """Work until cancelled."""
        questions = {
            "trace": self._diagnostics.trace,
            "conntrack": self._diagnostics.conntrack,
            "appctl": self._diagnostics.appctl,
            "ovs": self._diagnostics.ovs,
        }
        handlers: dict[str, Handler] = {name: _in_thread(work) for name, work in questions.items()}
        handlers["neighbours"] = self._told_neighbours
        hello = {"system_id": self.name, "version": agent.__version__}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._upkeep())
            secured = []
            for one in self.endpoints:
                secure = self._files.context if one.tls else None
                controller = Controller(one.host, one.agent_port, hello, handlers, secure)
                tasks.create_task(controller.run())
                if one.tls:
                    secured.append(controller)
            if secured:
                tasks.create_task(self._renewal(secured))

    async def _renewal(self, controllers: Sequence[Controller]) -> None:
        """A new key and certificate when the present one has lived two thirds of its life."""
        retry = RENEWAL_RETRY[0]
        while True:
            due = await asyncio.to_thread(self._files.renew_at)
            wait = RENEWAL_CHECK if due is None else due - time.time()
            if wait > 0:
                await asyncio.sleep(min(wait, RENEWAL_CHECK))
                continue
            try:
                await self._renew(next((one for one in controllers if one.connected), controllers[0]))
                retry = RENEWAL_RETRY[0]
            except NshellError as problem:
                log.warning("the certificate is not renewed yet: %s: %s", problem.where, problem.cause)
                await asyncio.sleep(retry)
                retry = min(2 * retry, RENEWAL_RETRY[1])

    async def _renew(self, controller: Controller) -> None:
        from agent import keys

        key, request = await asyncio.to_thread(keys.new_key)
        answer = await controller.ask("renew", {"request": request})
        granted = Granted(str(answer.get("certificate")), self._files.authority.read_text())
        await asyncio.to_thread(self._files.install, self.name, key, granted)
        log.info("the certificate is renewed")

    async def _told_neighbours(self, params: Mapping[str, Any]) -> dict[str, Any]:
        peers = params.get("peers")
        if not isinstance(peers, list):
            raise CommandFailed("neighbours", "peers is not a list", 'send {"peers": ["172.31.0.2"]}')
        kept = self._neighbours.set_peers(peers)
        self._wake.set()
        return {"peers": list(kept)}

    async def _upkeep(self) -> None:
        """What must be put right again after a restart of Open vSwitch or a change of peers."""
        while True:
            self._wake.clear()
            trouble = ""
            try:
                if await asyncio.to_thread(uplink.restore, self._ovs):
                    log.info("%s had lost its addresses; set again", uplink.BRIDGE)
                for address in await asyncio.to_thread(self._neighbours.keep):
                    log.info("tunnel neighbour %s is resolved", address)
            except NshellError as problem:
                trouble = problem.cause
            if trouble and trouble != self._trouble:
                log.warning("%s", trouble)
            self._trouble = trouble
            try:
                async with asyncio.timeout(CHECK_INTERVAL):
                    await self._wake.wait()
            except TimeoutError:
                continue


def _in_thread(work: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Handler:
    async def handler(params: Mapping[str, Any]) -> Any:
        return await asyncio.to_thread(work, params)

    return handler


async def serve(ovs: Ovs) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    service = asyncio.current_task()
    assert service is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.cancel)
    try:
        await Service(ovs).run()
    except asyncio.CancelledError:
        log.info("the agent ends; forwarding goes on without it")
