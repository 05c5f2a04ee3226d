"""One client keeps nobody else from the page."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bridge_cart_assets.reports import connections
from bridge_cart_assets.reports.connections import limits

REQUEST = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server with small limits, in a thread."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 5)
    app = Starlette(routes=[Route("/x", lambda _: PlainTextResponse("fine"))])
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", **limits())
    )
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listening.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def answer(port: int) -> bytes:
    with connect(port) as client:
        client.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return b"".join(iter(lambda: client.recv(4096), b""))


def ends(client: socket.socket) -> bool:
    """Whether the server has ended the connection, within the time-out."""
    with contextlib.suppress(ConnectionError):
        while client.recv(4096):
            pass
    return True


def test_a_header_that_never_ends_is_refused(port: int) -> None:
    with connect(port) as client, contextlib.suppress(ConnectionError):
        client.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\nX: ")
        sent = 0
        while sent < 10 * 1024**2:
            sent += client.send(b"a" * 8192)
    assert sent < 4 * 1024**2
    assert b"fine" in answer(port)


@pytest.mark.parametrize("half", [b"", b"GET /x", REQUEST[:-2], REQUEST + b"GET"])
def test_a_request_that_is_half_sent_has_its_time(port: int, half: bytes) -> None:
    with connect(port) as client:
        client.sendall(half)
        began = time.monotonic()
        assert ends(client)
        assert 0.5 < time.monotonic() - began < 4


def test_a_byte_now_and_then_does_not_help(port: int) -> None:
    with connect(port) as client:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            client.sendall(REQUEST[:-2])
            while time.monotonic() - began < 6:
                client.sendall(b"a")
                time.sleep(0.2)
        assert time.monotonic() - began < 4


def test_many_half_sent_requests_keep_nobody_out(port: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            client = stack.enter_context(connect(port))
            client.sendall(b"GET")
        began = time.monotonic()
        assert b"fine" in answer(port)
        assert time.monotonic() - began < 0.9


def test_one_connection_serves_several_requests(port: int) -> None:
    with connect(port) as client:
        for _ in range(3):
            client.sendall(REQUEST)
            received = b""
            while b"fine" not in received:
                received += client.recv(4096)
            time.sleep(0.5)
