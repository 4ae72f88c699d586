"""/metrics: who may read it, and its text, made once for all who ask within a second.

The bearer token (RFC 6750) is `web metrics-token`; without one there is no /metrics. Guesses at it become slow for the
source that they come from, as those at passwords do, and apart from these: a Prometheus with a stale token makes no
login slow. The text is made a slice at a time (controller/telemetry/openmetrics.py): 10,000 vports stall nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from aiohttp import web

from controller.telemetry.openmetrics import OpenMetrics, encoding
from data.schema.seen import Web
from data.steps import spread
from nshell import __version__
from nshell.serving.throttle import BY_ADDRESS, Failures
from nshell.serving.turns import Turns
from nshell.web.http import entrance_of, same

if TYPE_CHECKING:
    from nshell.serving.service import Service
    from nshell.web.entrance import Entrance

FRESH = 1.0
"""Seconds for which a text is handed out again."""
SCHEME = "Bearer "
WAYS = ("local", "ssh", "web")
IN_A_THREAD = 1 << 16
"""Bytes from which on a text is compressed in a thread."""
ENCODINGS = 4
"""Texts that are kept: a request names its format and how names are escaped."""


class Guesses:
    """Tokens that are presented, a few at a time from each source, and later the more of them were wrong."""

    def __init__(self) -> None:
        self._failures = Failures(BY_ADDRESS)
        self._turns = Turns()

    async def right(self, network: str, said: str, token: str) -> bool:
        """Whether this is the token, said by somebody in this network; the right one waits as long as a wrong one."""
        clock = asyncio.get_running_loop().time
        async with self._turns.one(network):
            await asyncio.sleep(self._failures.delay(network, clock()))
            if same(said, token):
                return True
            self._failures.add(network, clock())
            return False


class Metrics:
    """The text for whoever may read it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._metrics = OpenMetrics(service.fabric, __version__, self._sessions)
        self._made: dict[str, tuple[float, asyncio.Task[bytes]]] = {}
        self._guesses = Guesses()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A scrape."""
        token = self._service.fabric.acting.settings(Web).metrics_token
        said = request.headers.get("Authorization", "")
        if token is None:
            raise web.HTTPForbidden(text="there is no token to read this with: set web metrics-token\n")
        if not said.startswith(SCHEME):
            raise web.HTTPUnauthorized(
                text="send the token: Authorization: Bearer ...\n", headers={"WWW-Authenticate": "Bearer"}
            )
        entrance = entrance_of(request)
        with entrance.attended():
            right = await self._guesses.right(entrance.network, said.removeprefix(SCHEME).strip(), token)
        if not right:
            self._refused(entrance)
            raise web.HTTPForbidden(text="this is not the token\n")
        entrance.known = True
        kind, text = await self._text(request.headers.get("Accept", ""))
        answer = web.Response(body=text, headers={"Content-Type": kind}, zlib_executor_size=IN_A_THREAD)
        answer.enable_compression()
        return answer

    async def _text(self, accept: str) -> tuple[str, bytes]:
        encode, kind = encoding(accept)
        now = asyncio.get_running_loop().time()
        at, task = self._made.get(kind, (0.0, None))
        if task is None or (now > at + FRESH and task.done()):
            task = asyncio.create_task(spread(self._metrics.text(encode)), name="metrics")
            self._made = {k: v for k, v in list(self._made.items())[1 - ENCODINGS :] if k != kind} | {kind: (now, task)}
        return kind, await asyncio.shield(task)

    def _sessions(self) -> Counter[str]:
        """How many sessions come which way."""
        counts = Counter(dict.fromkeys(WAYS, 0))
        counts.update(session.origin.partition(" ")[0] for session in self._service.sessions)
        return counts

    def _refused(self, entrance: Entrance) -> None:
        server, why = self._service.web.server, "wrong token of /metrics"
        if server is not None:
            server.entrances.refused(entrance.origin, why)
        self._service.visitors.refused("(unknown)", entrance.origin, entrance.network, why)

    def close(self) -> None:
        """Makes no more texts."""
        for _, task in self._made.values():
            task.cancel()
