"""show web: the web server, its certificate, and who has logged in; the authority that browsers should trust."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from data.schema.seen import Web
from views.models import Cell, Clock, Column, Document, Lines, Model, Moment, Several, Table

OFF = Lines(["there is no web server", "  'set web listen-address ...' in configure mode adds one"], {"web": None})
WORDS = {
    "web": "HTTPS for browsers and for a Prometheus",
    "authority": "the certificate by which browsers and a Prometheus know this controller",
}


@command("show web", help="the web server, its certificate, and who has logged in", words=WORDS)
async def show_web(context: Context, arguments: Arguments) -> Model:
    """Facts, and a line per login."""
    web = context.web
    if web.place is None:
        return OFF
    settings = context.fabric.acting.settings(Web)
    shown = web.certificate
    address, port = web.place
    facts: dict[str, object] = {
        "address": address,
        "port": port,
        "state": "listening" if web.listening else "closed",
        "reason": web.problem or None,
        "connections": web.connections,
        "dashboards": sum(len(login.ends) for login in web.logins()),
        "max-sessions": settings.max_sessions,
        "sessions-per-user": settings.sessions_per_user,
        "metrics": "served, by token" if settings.metrics_token is not None else "not served",
    }
    if shown is not None:
        facts |= {
            "certificate": web.certificate_file or "signed by the controller's authority",
            "issuer": shown.issuer,
            "names": list(shown.names),
            "fingerprint": shown.fingerprint,
            "expires": Clock(shown.expires),
        }
    rows: list[tuple[Cell, ...]] = [
        (login.user, login.origin, len(login.ends), Moment(login.since))
        for login in sorted(web.logins(), key=lambda login: login.since)
    ]
    columns = (
        Column("user", "User"),
        Column("origin", "From"),
        Column("dashboards", "Dashboards", "right"),
        Column("since", "Since"),
    )
    return Several({"web": Document(facts, "Web server"), "logins": Table("Logins", columns, rows, "logins")})


@command("show web authority", help="the certificate by which others know this controller", words=WORDS)
async def show_authority(context: Context, arguments: Arguments) -> Lines:
    """In PEM, for `| save` and a browser's or a Prometheus' list of authorities. It is no secret."""
    text = await context.fabric.trust.authority_pem()
    return Lines(text.splitlines(), {"authority": text})
