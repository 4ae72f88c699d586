"""/metrics: who may read it, and its text, made once for all who ask within a second.

The bearer token (RFC 6750) is `web metrics-token`; without one there is no /metrics. The text is made a slice at a time
(controller/telemetry/openmetrics.py), so that 10,000 vports stall nothing.
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
from nshell.web.http import entrance_of, same

if TYPE_CHECKING:
    from nshell.serving.service import Service

FRESH = 1.0
"""Seconds for which a text is handed out again."""
SCHEME = "Bearer "
WAYS = ("local", "ssh", "web")
IN_A_THREAD = 1 << 16
"""Bytes from which on a text is compressed in a thread."""
ENCODINGS = 4
"""Texts that are kept: a request names its format and how names are escaped."""


class Metrics:
    """The text for whoever may read it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._metrics = OpenMetrics(service.fabric, __version__, self._sessions)
        self._made: dict[str, tuple[float, asyncio.Task[bytes]]] = {}

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
        if not same(said.removeprefix(SCHEME).strip(), token):
            origin = entrance_of(request).origin
            self._refused(origin)
            raise web.HTTPForbidden(text="this is not the token\n")
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

    def _refused(self, origin: str) -> None:
        server = self._service.web.server
        if server is not None:
            server.entrances.refusals.tell(origin, "this is not the token of /metrics")

    def close(self) -> None:
        """Makes no more texts."""
        for _, task in self._made.values():
            task.cancel()
        self._metrics.close()
