"""An S3 server as a process, and a proxy before it that fails on purpose.

Belongs here: what stands in for a store. Does not belong here: what a test expects of the product.
"""

import http.client
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEY, SECRET = "the-key-of-the-shop", "a-secret-that-nobody-may-see"
_MOTO = "import sys; from moto.server import main; main(sys.argv[1:])"
_LINE = re.compile(r'"(?:\x1b\[\d+m)*([A-Z]+) (\S+) HTTP')
_LONGEST_SECONDS = 180


@dataclass(frozen=True)
class Server:
    """moto's S3 server.

    Attributes:
        port: where it listens.
        log: a line for each request.
    """

    port: int
    log: Path

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """The usual variables."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ALLOW_HTTP": "true",
        }

    def make_bucket(self, name: str) -> None:
        assert self._ask("PUT", f"/{name}") == 200

    def keep_versions(self, bucket: str) -> None:
        """Have a bucket keep earlier versions of its objects."""
        wanted = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        assert self._ask("PUT", f"/{bucket}?versioning", wanted) == 200

    def requests(self) -> Counter[str]:
        """How many requests of each kind it has answered."""
        found = (_LINE.search(line) for line in self.log.read_text().splitlines())
        return Counter(_kind(match[1], match[2]) for match in found if match)

    def _ask(self, method: str, path: str, body: str | None = None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, body)
            return connection.getresponse().status
        finally:
            connection.close()


def _kind(method: str, path: str) -> str:
    if method == "GET" and "list-type" in path:
        return "LIST"
    return "GET log" if method == "GET" and "_delta_log" in path else method


@contextmanager
def s3_server(folder: Path) -> Iterator[Server]:
    """A server with an empty store, for as long as it is used."""
    server = Server(free_port(), folder / "moto.log")
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _MOTO, "-H", "127.0.0.1", "-p", str(server.port)],
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(server, process)
        yield server
    finally:
        process.kill()
        process.wait()


def _wait_for(server: Server, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, server.log.read_text()
        try:
            server._ask("GET", "/moto-api/")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("moto's server does not answer")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class Fault:
    """What a proxy does to some requests.

    Attributes:
        status: answered instead of the server; 0 for the server's own answer.
        code: the error's code in S3's words.
        seconds: waits so long before it answers.
        cut: closes the connection in the middle of the answer.
        late: the server does what it was asked for, and only its answer is lost.
        concerns: which requests, by method and path.
        times: how many of them; all without a number.
    """

    status: int = 0
    code: str = ""
    seconds: float = 0.0
    cut: bool = False
    late: bool = False
    concerns: Callable[[str, str], bool] = lambda method, path: True
    times: int = 1 << 30


@dataclass
class Proxy:
    """A proxy before the server; `fault` is what it does."""

    endpoint: str
    fault: Fault | None = None
    failed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def fault_of(self, method: str, path: str) -> Fault | None:
        with self._lock:
            fault = self.fault
            if fault is None or fault.times <= 0 or not fault.concerns(method, path):
                return None
            fault.times -= 1
            self.failed += 1
            return fault


@contextmanager
def failing_proxy(server: Server) -> Iterator[Proxy]:
    """A proxy that lets everything through until it is given a fault."""
    proxy = Proxy("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = proxy.fault_of(self.command, self.path)
            if fault and fault.seconds:
                time.sleep(fault.seconds)
            if fault and fault.status:
                text = f"<Error><Code>{fault.code}</Code><Message>no</Message></Error>".encode()
                self._answer(fault.status, {"Content-Type": "application/xml"}, text)
                return
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            headers = dict(answer.getheaders())
            if fault and fault.late:
                connection.close()
                self.close_connection = True
                return
            if fault and fault.cut:
                headers["Content-Length"] = str(len(content))
                self._answer(answer.status, headers, content[: len(content) // 2])
                self.close_connection = True
                return
            self._answer(answer.status, headers, content)
            connection.close()

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            length = headers.pop("Content-Length", str(len(content)))
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    proxy.endpoint = f"http://127.0.0.1:{listening.server_port}"
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        listening.shutdown()
        listening.server_close()
