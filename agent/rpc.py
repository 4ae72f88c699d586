"""The agent's connection to a controller: JSON-RPC 2.0, one object per line, both ways.

The agent dials (with TLS unless the controller is on this host), says hello with its system-id, then answers what it
is asked (controller/hypervisors/agents.py is the other end).  A lost connection is dialled again after 1, 2, 4, then
every 8 seconds; a silent one is pinged.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agent.trust import SERVER_NAME
from data.errors import CommandFailed, NshellError

LINE_LIMIT = 1 << 20  # bytes of one message, either way
BACKOFF = (1.0, 2.0, 4.0, 8.0)  # seconds before dialling again
CONNECT_TIMEOUT = 5.0  # seconds
HELLO_TIMEOUT = 8.0  # seconds: the controller may first ask an older connection whether it lives
IDLE_LIMIT = 15.0  # seconds of silence after which the controller is pinged
PING_TIMEOUT = 5.0  # seconds the controller has to answer
ANSWER_TIMEOUT = 15.0  # seconds the controller has to answer a question of ours
AT_ONCE = 4  # diagnostics that may run at the same time

NO_SUCH_METHOD, INVALID_PARAMS, FAILED = -32601, -32602, -32001  # JSON-RPC 2.0, section 5.1; the last is ours

Handler = Callable[[Mapping[str, Any]], Awaitable[Any]]
log = logging.getLogger("nshell.agent")


class Refused(Exception):
    """The controller does not accept our hello; the text is its reason."""


class Controller:
    """One controller as the agent sees it.  `handlers` are the methods it may call; `secure` gives TLS anew for each
    connection, so that a renewed certificate is used, None dials in the clear."""

    def __init__(
        self,
        host: str,
        port: int,
        hello: Mapping[str, Any],
        handlers: Mapping[str, Handler],
        secure: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._secure = secure
        self._writer: asyncio.StreamWriter | None = None
        self._number = 1  # the hello's
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self.host = host
        self.port = port
        self.connected = False
        self._hello = dict(hello)
        self._handlers = dict(handlers)
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    context = None if self._secure is None else self._secure()
                    reader, writer = await asyncio.open_connection(
                        self.host,
                        self.port,
                        limit=LINE_LIMIT,
                        ssl=context,
                        server_hostname=None if context is None else SERVER_NAME,
                    )
            except (OSError, TimeoutError) as problem:
                if failures == 0:
                    log.warning("controller %s:%d: %s", self.host, self.port, problem or "no answer")
            else:
                try:
                    await self._talk(reader, writer)
                    log.warning("controller %s:%d: connection ended", self.host, self.port)
                except (OSError, ValueError, TimeoutError, Refused) as problem:
                    log.warning("controller %s:%d: %s", self.host, self.port, problem or "it is silent")
                finally:
                    if self.connected:
                        failures = 0
                    self.connected, self._writer = False, None
                    for task in self._tasks:
                        task.cancel()
                    for answer in self._asked.values():
                        answer.cancel()
                    writer.close()
            await asyncio.sleep(BACKOFF[min(failures, len(BACKOFF) - 1)])
            failures += 1

    async def ask(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """A question of ours. Raises CommandFailed when it is refused or not answered."""
        where = f"controller {self.host}"
        if self._writer is None or not self.connected:
            raise CommandFailed(where, "it is not connected", "")
        self._number += 1
        number = self._number
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            _send(self._writer, {"id": number, "method": method, "params": params})
            await asyncio.wait([answer], timeout=ANSWER_TIMEOUT)
            if not answer.done() or answer.cancelled():
                raise CommandFailed(where, f"no answer to {method}", "")
            message = answer.result()
        finally:
            del self._asked[number]
        error, result = message.get("error"), message.get("result")
        if isinstance(error, dict) or not isinstance(result, dict):
            said = error if isinstance(error, dict) else {}
            raise CommandFailed(where, str(said.get("message", "no result")), str(said.get("data", "")))
        return result

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say hello, then answer until the connection ends."""
        _send(writer, {"id": 1, "method": "hello", "params": self._hello})
        answer = await _read(reader, HELLO_TIMEOUT)
        if answer is None or answer.get("id") != 1 or "error" in answer:
            error = (answer or {}).get("error")
            raise Refused(error.get("message", "refused") if isinstance(error, dict) else "no answer to our hello")
        self.connected, self._writer = True, writer
        log.info("controller %s:%d: connected", self.host, self.port)
        silent = False
        while True:
            try:
                message = await _read(reader, PING_TIMEOUT if silent else IDLE_LIMIT)
            except TimeoutError:
                if silent:
                    raise
                silent = True
                _send(writer, {"id": 0, "method": "ping", "params": {}})  # any word is an answer
                continue
            silent = False
            if message is None:
                return
            if "method" in message:
                task = asyncio.create_task(self._answer(writer, message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._answered(message)

    def _answered(self, message: Mapping[str, Any]) -> None:
        """Hand an answer to whoever asked; one that nobody waits for any more is dropped."""
        number = message.get("id")
        asked = self._asked.get(number) if isinstance(number, int) else None
        if asked is not None and not asked.done():
            asked.set_result(message)

    async def _answer(self, writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
        """Carry one call out and answer it, unless it is a notification."""
        answer: dict[str, Any] = {"id": message.get("id")}
        params = message.get("params", {})
        handler = self._handlers.get(str(message["method"]))
        if message["method"] == "ping":
            answer["result"] = {}
        elif handler is None:
            answer["error"] = {
                "code": NO_SUCH_METHOD,
                "message": f"no method {str(message['method'])[:40]!r}",
            }
        elif not isinstance(params, dict):
            answer["error"] = {"code": INVALID_PARAMS, "message": "params must be an object"}
        else:
            try:
                async with self._slots:
                    answer["result"] = await handler(params)
            except NshellError as problem:
                answer["error"] = {"code": FAILED, "message": problem.cause, "data": problem.remedy}
            except Exception:
                log.exception("method %s failed", message["method"])
                answer["error"] = {"code": FAILED, "message": "the agent failed; see its log", "data": ""}
        if "id" in message:
            _send(writer, answer)


def _send(writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
    line = json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode() + b"\n"
    if len(line) > LINE_LIMIT:
        line = (
            json.dumps(
                {
                    "jsonrpc": "2.0",
                    "id": message.get("id"),
                    "error": {
                        "code": FAILED,
                        "message": f"the answer is larger than {LINE_LIMIT} bytes",
                        "data": "ask for less",
                    },
                }
            ).encode()
            + b"\n"
        )
    writer.write(line)


async def _read(reader: asyncio.StreamReader, timeout: float) -> dict[str, Any] | None:
    """The next message; None at the end.  ValueError for what is not one, TimeoutError for silence."""
    async with asyncio.timeout(timeout):
        line = await reader.readline()
    if not line.endswith(b"\n"):
        return None
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message that is not an object")
    return message
