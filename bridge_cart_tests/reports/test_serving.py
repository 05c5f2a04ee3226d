"""The page on a port."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from bridge_cart_assets.reports import ServeError, serve
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.reports.catalogues import write_catalogue

PROGRAM = """
import sys
from pathlib import Path
from bridge_cart_assets.reports import serve
from bridge_cart_assets.settings import Settings
serve(Settings(data=Path(sys.argv[1])), port=0)
"""


def test_a_taken_port_is_an_error_that_says_so(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        port, given = one.getsockname()[1], other.getsockname()[1]
        settings = Settings(data=tmp_path, report_port=port)
        with pytest.raises(ServeError, match=rf"127\.0\.0\.1 port {port}: something else listens"):
            serve(settings)
        with pytest.raises(ServeError, match=rf"port {given}: .* --port"):
            serve(settings, port=given)


def test_a_host_that_is_not_this_machine_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match=r"192\.0\.2\.1 port 0: this machine has no such address"):
        serve(Settings(data=tmp_path), host="192.0.2.1", port=0)
    with pytest.raises(ServeError, match=r"host 'no such host'"):
        serve(Settings(data=tmp_path), host="no such host", port=0)


def test_it_serves_the_catalogue_of_the_settings_until_interrupted(tmp_path: Path) -> None:
    write_catalogue(Settings(data=tmp_path).catalogue, {})
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = line.split()[3]
            assert address.startswith("http://127.0.0.1:")
            response = httpx2.get(f"{address}healthz")
            assert response.json() == {"status": "ok", "as_of": "2024-07-28"}
            assert "server" not in response.headers
        finally:
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
