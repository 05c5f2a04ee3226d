"""The report page on a port, until Ctrl-C.

Belongs here: the socket and the web server. Does not belong here: what is served (see `app`).
"""

import errno
import socket

import uvicorn

from bridge_cart_assets.reports.app import create_app
from bridge_cart_assets.reports.connections import limits
from bridge_cart_assets.reports.security import EVERY_ADDRESS
from bridge_cart_assets.settings import Settings

_WHY = {
    errno.EADDRINUSE: "something else listens there; end it or choose another --port",
    errno.EACCES: "this user may not; choose a --port from 1024",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another --host",
}


class ServeError(RuntimeError):
    """The page cannot listen where it should; the message says why and what to do."""


def serve(settings: Settings, host: str | None = None, port: int | None = None) -> None:
    """Serve the report page until Ctrl-C.

    Args:
        settings: where the catalogue is, and the host and port when none is given.
        host: an address or name of this machine; 0.0.0.0 for all of them.
        port: the port; 0 for any that is free.

    Raises:
        ServeError: the port is taken, not allowed, or the host is not this machine's.
    """
    host = host or settings.report_host
    listening = _listen(host, settings.report_port if port is None else port)
    app = create_app(
        settings.catalogue,
        hosts=(host,),
        currency=settings.currency,
        dagster=f"http://127.0.0.1:{settings.dagster_port}",
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            **limits(),
            timeout_graceful_shutdown=3,
        )
    )
    shown = "localhost" if host in EVERY_ADDRESS else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    print(f"Report page on {address} (Ctrl-C ends it)", flush=True)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        return
    finally:
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServeError(f"cannot serve on host {host!r}: {error.strerror}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        why = _WHY.get(error.errno or 0, error.strerror)
        raise ServeError(f"cannot serve on {host} port {port}: {why}") from error
    return listening
