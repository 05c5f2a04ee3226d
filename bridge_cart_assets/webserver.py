"""Dagster's webserver as it is started here: it answers its own hosts, and its own pages only.

Belongs here: which requests reach Dagster's webserver. Does not belong here: what it answers.

Dagster's webserver executes mutations by GET too, from any origin and under any Host: a picture on
any web page could delete runs. No log-in stands before it, so the browser's own headers have to
tell where a request comes from. What is no browser sends none of them and is answered.

`python -m bridge_cart_assets.webserver` takes the options of dagster-webserver, and with `dev` as
its first argument those of dagster dev.
"""

import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge_cart_assets.private_files import keep_files_private
from bridge_cart_assets.reports.security import Hosts
from bridge_cart_assets.settings import Settings, SettingsError

_WEBSERVER = ["-m", "dagster_webserver"]
_OURS = ["-m", "bridge_cart_assets.webserver"]
_SAFE = ("GET", "HEAD")
_FOREIGN_HOST = (
    "This host name is not served here. Open Dagster as localhost, or set "
    "BRIDGE_CART_DAGSTER_HOSTS to the names that people use for it.\n"
)
_FOREIGN_ORIGIN = "This is answered to Dagster's own pages only.\n"
_NO_QUERY = "Only queries are answered to GET.\n"


class OwnPagesOnly:
    """Passes on what Dagster's own pages ask, and what no browser asks."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        """Take the host names that are answered besides the loopback ones."""
        self.app = app
        self.hosts = Hosts(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, _unframed(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        if headers.get("host", "") not in self.hosts or len(headers.getlist("host")) > 1:
            return PlainTextResponse(_FOREIGN_HOST, 400)
        is_safe = scope["type"] == "http" and scope["method"] in _SAFE
        if not _is_own(headers) and not (is_safe and _is_link(headers)):
            return PlainTextResponse(_FOREIGN_ORIGIN, 403)
        if is_safe and not _asks_only(scope.get("query_string", b"")):
            return PlainTextResponse(_NO_QUERY, 405, {"Allow": "POST"})
        return None


def _is_own(headers: Headers) -> bool:
    """Whether a request comes from a page of this very host, or from no page."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers["host"].lower()


def _is_link(headers: Headers) -> bool:
    """Whether somebody has followed a link from elsewhere to a page."""
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and "origin" not in headers
    )


def _asks_only(query_string: bytes) -> bool:
    """Whether GraphQL in an address has queries only; what is none is answered with an error."""
    for text in parse_qs(query_string.decode("latin-1")).get("query", ()):
        try:
            document = parse(text)
        except (GraphQLError, RecursionError):
            continue
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode) and node.operation != OperationType.QUERY:
                return False
    return True


def _unframed(send: Send) -> Send:
    """No other site may show the pages within its own and have people click there."""

    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("X-Frame-Options", "DENY")
        await send(message)

    return send_with_header


def main() -> int:
    """Serve until a signal, as Dagster's own command does."""
    keep_files_private()
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if sys.argv[1:2] == ["dev"]:
        run_dev()
    else:
        run_webserver(settings.dagster_hosts)
    return 0


def run_webserver(hosts: Iterable[str]) -> None:
    """Run `dagster-webserver`; its app answers these hosts, and that of its option."""
    from dagster_webserver import cli

    create: Callable[..., ASGIApp] = vars(cli)["create_app_from_workspace_process_context"]
    bound = [host for option, host in options_with_values(sys.argv) if option in ("-h", "--host")]

    def create_guarded(*args: Any, **kwargs: Any) -> ASGIApp:
        return OwnPagesOnly(create(*args, **kwargs), (*hosts, *bound))

    # There is no public place for middleware.
    vars(cli)["create_app_from_workspace_process_context"] = create_guarded
    cli.main()  # type: ignore[no-untyped-call]


def run_dev() -> None:
    """Run `dagster dev` with this webserver in the place of Dagster's."""
    from dagster._cli import dev, main

    start = dev.open_ipc_subprocess  # type: ignore[attr-defined]

    def start_guarded(parts: list[str], **kwargs: Any) -> Any:
        return start(
            [parts[0], *_OURS, *parts[3:]] if parts[1:3] == _WEBSERVER else parts, **kwargs
        )

    # dagster dev starts the module of the webserver by its name.
    dev.open_ipc_subprocess = start_guarded  # type: ignore[attr-defined, assignment]
    main()  # type: ignore[no-untyped-call]


def options_with_values(arguments: list[str]) -> list[tuple[str, str]]:
    """Options with their values, written `--host x` or `--host=x`."""
    pairs = [tuple(a.split("=", 1)) for a in arguments if a.startswith("-") and "=" in a]
    return [*pairs, *pairwise(arguments)]  # type: ignore[list-item]


if __name__ == "__main__":
    sys.exit(main())
