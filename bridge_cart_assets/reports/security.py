"""What every answer promises to the browser, and which host names are answered at all.

Belongs here: security headers and the check of the Host header, which keeps other sites from
reaching the page through a name of their own that points to this machine (DNS rebinding).
Does not belong here: routes.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        # a chart that is saved as PNG passes through a picture that the script itself made
        "img-src 'self' blob: data:; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Hosts:
    """The host names that are answered: the loopback ones and some more.

    One of them standing for every address (0.0.0.0) admits IP addresses, which cannot be rebound,
    but no further names.
    """

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        """Take the names besides the loopback ones."""
        names = {host.strip("[]").lower() for host in hosts}
        self._names = LOOPBACK | names
        self._any_address = not names.isdisjoint(EVERY_ADDRESS)

    def __contains__(self, host: str) -> bool:
        """Whether a Host header, with its port, is one of them."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if any(character in host for character in "/?#@\\"):
            return False
        return name in self._names or (self._any_address and _is_address(name))


class Guard:
    """Answers known hosts only, with the headers above."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        """Take the host names that are answered besides the loopback ones."""
        self.app = app
        self.hosts = Hosts(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        host = Headers(scope=scope).get("host", "")
        app: ASGIApp = self.app if host in self.hosts else _REFUSAL
        await app(scope, receive, send_with_headers)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


_REFUSAL = PlainTextResponse(
    "This host name is not served here. Open the page as localhost, or set "
    "BRIDGE_CART_REPORT_HOST to the name that people use for this machine.\n",
    status_code=400,
)
