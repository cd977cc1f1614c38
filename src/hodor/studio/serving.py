"""Running the server: its port and token, its address, its end."""

import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable

import uvicorn

from hodor.errors import HodorError
from hodor.studio.guard import Guard
from hodor.studio.limits import LONGEST_MESSAGE, Limits, PatientProtocol
from hodor.studio.opening import Studio
from hodor.studio.server import make_app

LOCAL = "127.0.0.1"


def serve(
    studio: Studio,
    *,
    host: str = LOCAL,
    port: int | None = None,
    browser: bool = True,
    frame: int = 0,
    ready: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve a session until Ctrl-C.

    port: None takes the one that this session had last, so that pages that are still open find it
    again, or else a free one. frame: that the page begins with. ready: called with the page's
    address when it can be opened. warn: called with what jobs warn of, from their threads.

    Raises:
        HodorError: the address is not to be had.
    """
    studio.jobs.tell_warning = warn
    noted = studio.session.folder.server()
    bound = _bind(host, port, noted.get("port"))
    port = bound.getsockname()[1]
    token = str(noted.get("token") or secrets.token_urlsafe(18))
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{LOCAL if host in ('0.0.0.0', '') else shown}:{port}/{token}/"
    studio.session.folder.write_server({"port": port, "token": token, "address": address})
    app = Guard(Limits(make_app(studio)), token=token, bound=host, port=port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        http=PatientProtocol,
        ws="websockets-sansio",
        ws_max_size=LONGEST_MESSAGE,
        server_header=False,
    )
    address += f"#frame={frame}" if frame else ""
    ready(address)
    if browser:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    try:
        uvicorn.Server(config).run(sockets=[bound])
    except KeyboardInterrupt:
        pass
    finally:
        bound.close()
        studio.close()


def _bind(host: str, port: int | None, noted: int | None) -> socket.socket:
    wishes = [port] if port is not None else [*([noted] if noted else []), 0]
    problem: OSError | None = None
    for wish in wishes:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, wish))
            bound.listen()  # who comes before the server runs waits, and is not refused
            return bound
        except OSError as error:
            bound.close()
            problem = error
    raise HodorError(
        f"{host}:{port or ''}: cannot be listened on ({problem}); take another --port, or none"
    )
