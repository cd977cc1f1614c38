"""What a client may cost: bodies are limited, and connections that say nothing are closed."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

LARGEST_MASK = 64 * 2**20
"""Bytes of a PUT: runs of a mask take 8 for each. 8 million runs are noise of 4K."""

LARGEST_BODY = 4 * 2**20
"""Bytes of any other request: strokes of a quarter million points."""

IDLE_SECONDS = 30.0
"""How long a request may take to say what it wants, or its body to come on."""

LONGEST_MESSAGE = 2**16
"""Bytes of a message over the live connection, on which pages say nothing."""


class Limits:
    """Passes on requests whose bodies are small enough, and refuses others before they are read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = LARGEST_MASK if scope["method"] == "PUT" else LARGEST_BODY
        if _announced(scope) > most:
            await _refuse(send, most)
            return
        came, refused = 0, False

        async def counted() -> Message:
            nonlocal came, refused
            message = await receive()
            came += len(message.get("body", b""))
            if came <= most:
                return message
            if not refused:
                refused = True
                await _refuse(send, most)
            return {"type": "http.disconnect"}

        async def unless_refused(message: Message) -> None:
            if not refused:
                await send(message)

        try:
            await self._app(scope, counted, unless_refused)
        except Exception:
            if not refused:  # else the application only met the end of the body
                raise


def _announced(scope: Scope) -> int:
    """Bytes of the body as the request's head has them; 0 where it does not say."""
    found = (v for k, v in scope["headers"] if k.lower() == b"content-length")
    said = next(found, b"0")
    return int(said) if said.isdigit() else 0


async def _refuse(send: Send, most: int) -> None:
    text = f'{{"message": "more than {most} bytes are not taken"}}'.encode()
    head = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": head})
    await send({"type": "http.response.body", "body": text})


class PatientProtocol(H11Protocol):
    """HTTP whose client is waited for, but not for ever.

    idle_seconds: how long for the head of a request, and for each further part of its body.
    """

    idle_seconds = IDLE_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parts of a body give it more time; parts of a head, drop by drop, do not."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait()

    def on_response_complete(self) -> None:
        """From here on the next request is waited for."""
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self.idle_seconds, self._give_up)

    def _give_up(self) -> None:
        cycle = self.cycle
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # it is a live connection by now, with pings of its own
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            self._wait()  # it is the server that takes its time
        else:
            self.transport.close()
