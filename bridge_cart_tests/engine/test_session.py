"""What can be wrong before work begins is one or two lines, and nothing is written."""

import socket
from pathlib import Path

import pytest

from bridge_cart_assets.engine import session
from bridge_cart_assets.engine.cluster import Cluster
from bridge_cart_assets.engine.engine import EngineError, engine_at
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.engine.engine_shop import land


def closed_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def refusal(address: str) -> str:
    with pytest.raises(EngineError) as error:
        Cluster(address).check()
    said = str(error.value)
    assert len(said.splitlines()) <= 2
    return said


@pytest.mark.parametrize("scheme", ["spark", "sc", "k8s"])
def test_a_server_that_does_not_answer_is_named_without_its_token(scheme: str) -> None:
    pytest.importorskip("pyspark")
    if scheme != "sc":
        needs_java()
    port = closed_port()
    token = "/;token=secret" if scheme == "sc" else ""
    said = refusal(f"{scheme}://127.0.0.1:{port}{token}")
    assert f"the engine {scheme}://127.0.0.1:{port} cannot be reached: " in said
    assert "secret" not in said


def needs_java() -> None:
    try:
        Cluster("local[1]").check()
    except EngineError as error:
        pytest.skip(str(error).splitlines()[0])


def test_one_of_two_masters_is_enough() -> None:
    pytest.importorskip("pyspark")
    needs_java()
    with socket.create_server(("127.0.0.1", 0)) as server:
        Cluster(f"spark://127.0.0.1:{closed_port()},127.0.0.1:{server.getsockname()[1]}").check()


def test_missing_java_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("pyspark")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert "needs Java 17 or newer, and there is none in PATH" in refusal("local[2]")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert f"JAVA_HOME={tmp_path} has none" in refusal("local[2]")


def test_missing_pyspark_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'bridge-cart[spark]'" in refusal("sc://host")


def test_there_is_one_engine_per_process_and_it_starts_nothing() -> None:
    engine = engine_at("sc://nowhere.invalid", 1)
    assert engine is engine_at("sc://nowhere.invalid", 1)
    assert engine is not None
    assert [engine.is_used_for(rows) for rows in (0, 1)] == [False, True]
    assert not Cluster("local[2]", least_rows=10).is_used_for(9)


def test_a_run_is_refused_before_it_writes_anything(command: Command, tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    land(tmp_path, days=3)
    address = f"sc://127.0.0.1:{closed_port()}"
    done = command("run", BRIDGE_CART_ENGINE=address)
    assert (done.returncode, done.stdout) == (1, "")
    [said] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert said.startswith(f"error: the engine {address} cannot be reached: ")
    lake = Lake(str(tmp_path / "lake"))
    assert all(lake.snapshot(table).version is None for table in STORED_TABLES)


def test_a_malformed_address_ends_every_verb_with_2(command: Command) -> None:
    done = command("status", BRIDGE_CART_ENGINE="spark://host")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: BRIDGE_CART_ENGINE='spark://host' is not accepted: local,"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Traceback:\n  File x\npolars.exceptions.ComputeError: no such file\n", "no such file"),
        ("An error\nof two lines", "An error"),
        ("", "ValueError"),
    ],
)
def test_of_a_traceback_the_last_line_is_said(text: str, said: str) -> None:
    assert said in session.first_line(ValueError(text))
