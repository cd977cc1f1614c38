"""Who may speak to the server: only who knows the token, and only under the server's own name.

The token is the first part of every path. A page elsewhere cannot know it; and a name that an
attacker makes point to this machine (DNS rebinding) is not among the hosts that are answered to.
"""

import hmac
import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
EVERYWHERE = ("0.0.0.0", "::")


def _host(header: str) -> tuple[str, int]:
    """Name and port of a Host header; port 0 where it makes no sense."""
    try:
        parts = urlsplit(f"//{header}")
        return parts.hostname or "", parts.port or 80
    except ValueError:
        return "", 0


def allowed(host: str, bound: str) -> bool:
    """Whether a name (without its port) may be answered to by a server bound to an address.

    Bound to everywhere, it answers to any number, which no DNS can rebind, and to its own name.
    """
    name = host.lower()
    if bound not in EVERYWHERE:
        return name in {bound.lower(), "localhost", "127.0.0.1", "::1"}
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return name in {"localhost", socket.gethostname().lower(), socket.getfqdn().lower()}


class Guard:
    """Passes on what may come in, with the token taken off its path, and refuses the rest."""

    def __init__(self, app: ASGIApp, *, token: str, bound: str, port: int) -> None:
        self._app, self._token, self._bound, self._port = app, token, bound, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        why = self._refusal(scope)
        if why is not None:
            await _refuse(scope, send, why)
            return
        path = scope["path"][len(self._token) + 1 :] or "/"
        if scope["path"] == f"/{self._token}" and scope["type"] == "http":
            # Addresses on the page are relative to the slash at the end.
            to = [(b"location", scope["path"].encode() + b"/")]
            await send({"type": "http.response.start", "status": 307, "headers": to})
            await send({"type": "http.response.body", "body": b""})
            return
        inner = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(inner, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> str | None:
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        name, port = _host(headers.get("host", ""))
        if not (allowed(name, self._bound) and port == self._port):
            return (
                "this server does not go by that name; open the address that hodor studio printed"
            )
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{headers['host']}":
            return "another page may not speak to this server"
        first = scope["path"].split("/")[1] if "/" in scope["path"] else ""
        if not hmac.compare_digest(first.encode(), self._token.encode()):
            return "the token is missing or wrong; open the address that hodor studio printed"
        return None


async def _refuse(scope: Scope, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why})
        return
    head = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": head})
    await send({"type": "http.response.body", "body": f"hodor studio: {why}\n".encode()})


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            extra = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return wrapped
