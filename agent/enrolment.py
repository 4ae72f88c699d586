"""Asking a controller for this host's first certificate, with a join token from its operator.

    connect 1: who is your authority?    nothing is believed yet and nothing secret is said
               its certificate must have the fingerprint that the token says
    connect 2: TLS proved by that authority; here are the secret and a signing request ──> the certificate

The token came by the operator's hand, so a controller that is not the right one is found out before it learns anything.
"""

import base64
import binascii
import hmac
import json
import socket
import ssl
from dataclasses import dataclass

from agent.trust import SERVER_NAME, Granted
from data.errors import CommandFailed

FORM = "t1"  # controller/trust/tokens.py makes them: t1.FINGERPRINT.SECRET
TIMEOUT = 10.0  # seconds for each connection
ANSWER_LIMIT = 64 * 1024  # bytes; two certificates are 2 KB


@dataclass(frozen=True, slots=True)
class Token:
    """A join token, taken apart."""

    fingerprint: bytes
    secret: str

    @classmethod
    def read(cls, text: str) -> "Token":
        """Raises CommandFailed."""
        form, _, rest = text.strip().partition(".")
        print_, _, secret = rest.partition(".")
        try:
            fingerprint = base64.urlsafe_b64decode(print_ + "=" * (-len(print_) % 4))
        except (ValueError, binascii.Error):
            fingerprint = b""
        if form != FORM or len(fingerprint) != 32 or not secret:
            raise CommandFailed(
                "token", "this is no join token", "copy all of what 'request dvrs … join-token' printed"
            )
        return cls(fingerprint, secret)

    def enrol(self, host: str, port: int, system_id: str, request: str) -> Granted:
        """Turn the token and a signing request into certificates. Raises CommandFailed."""
        from agent import keys

        where = f"controller {host}"
        unproved = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unproved.check_hostname, unproved.verify_mode = False, ssl.CERT_NONE
        authority = _ask(host, port, unproved, "authority", {}).get("authority", "")
        try:
            fingerprint = keys.fingerprint(authority)
        except ValueError:
            fingerprint = b""
        if not hmac.compare_digest(fingerprint, self.fingerprint):
            raise CommandFailed(
                where, "it is not the controller that made this token", "check the address; then ask for a new token"
            )
        proved = ssl.create_default_context(cadata=authority)
        proved.minimum_version = ssl.TLSVersion.TLSv1_2
        said = {"system_id": system_id, "secret": self.secret, "request": request}
        answer = _ask(host, port, proved, "enroll", said)
        return Granted(answer.get("certificate", ""), authority)


def _ask(host: str, port: int, context: ssl.SSLContext, method: str, params: dict[str, str]) -> dict[str, str]:
    """One question on a connection of its own. Raises CommandFailed."""
    where = f"controller {host}"
    question = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"
    try:
        with (
            socket.create_connection((host, port), TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=SERVER_NAME) as secured,
        ):
            secured.sendall(question)
            with secured.makefile("rb") as stream:
                message = json.loads(stream.readline(ANSWER_LIMIT) or b"null")
    except ssl.SSLError as problem:
        cause = f"it does not prove to be the controller that made this token ({problem.reason or problem})"
        raise CommandFailed(where, cause, "check the address; then ask for a new token") from None
    except OSError as problem:
        cause = f"port {port} does not answer: {problem.strerror or problem}"
        raise CommandFailed(
            where, cause, "check address and ports, and that it listens: 'show configuration'"
        ) from None
    except ValueError:
        raise CommandFailed(where, f"port {port} speaks something else", "name its agent-port") from None
    error = message.get("error") if isinstance(message, dict) else {"message": "it hung up", "data": "see its log"}
    if isinstance(error, dict):
        raise CommandFailed(where, str(error.get("message")), str(error.get("data", "")))
    result = message.get("result")
    return {str(key): str(value) for key, value in result.items()} if isinstance(result, dict) else {}
