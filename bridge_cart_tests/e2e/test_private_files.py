"""Files with personal data are their owner's alone, whatever the shell says."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge_cart_assets import definitions, leftovers, webserver


def command(data: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "bridge_cart_assets", *arguments],
        env={**os.environ, "BRIDGE_CART_DATA": str(data)},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.umask(0),
    )


def open_to_others(data: Path) -> list[str]:
    return [
        f"{stat.filemode(path.lstat().st_mode)} {path.relative_to(data)}"
        for path in data.rglob("*")
        if path.lstat().st_mode & 0o077
    ]


@pytest.mark.slow
def test_whatever_the_umask_files_are_the_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command(data, "generate", "--customers", "20", "--days", "3")
    assert open_to_others(data) == []
    command(data, "run")
    assert open_to_others(data) == []
    assert (data / "bridge_cart.duckdb").exists()


def test_generated_files_are_the_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command(data, "generate", "--customers", "5", "--days", "2")
    assert len(list(data.rglob("*.csv"))) > 1
    assert open_to_others(data) == []


@pytest.mark.parametrize("start", [webserver.main, definitions.defs])
def test_dagsters_processes_keep_files_private(
    start: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webserver, "run_webserver", lambda hosts: None)
    monkeypatch.setattr(sys, "argv", ["webserver"])
    monkeypatch.setenv("BRIDGE_CART_DATA", str(tmp_path))
    before = os.umask(0)
    try:
        start()
        assert os.umask(0) == 0o077
    finally:
        os.umask(before)


SPILLING = """
import sys, time
from pathlib import Path
from bridge_cart_assets.automation.interruption import exit_on_signals
from bridge_cart_assets.lake.fence import _spill_folder
from bridge_cart_assets.leftovers import leftover
exit_on_signals()
folder = Path(sys.argv[1]); folder.mkdir()
with leftover(folder):
    print(_spill_folder(), flush=True)
    time.sleep(60)
"""


# One whose last words never end.
SPEAKING = """
import sys, time
from pathlib import Path
from bridge_cart_assets.automation.interruption import on_signal, run_interruptibly
from bridge_cart_assets.leftovers import leftover
folder = Path(sys.argv[1]); folder.mkdir()
def work():
    with leftover(folder):
        print("working", flush=True)
        time.sleep(60)
with on_signal(lambda received: time.sleep(60)):
    run_interruptibly(work)
"""


def test_temporary_folders_go_when_last_words_do_not_end(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    with subprocess.Popen(
        [sys.executable, "-c", SPEAKING, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        assert folder.is_dir()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_temporary_folders_go_with_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SPILLING, str(tmp_path / "one")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        spill = Path(process.stdout.readline().strip())
        assert spill.is_dir()
        assert stat.S_IMODE(spill.stat().st_mode) == 0o700
        process.send_signal(number)
        assert process.wait(10) == 128 + number
    assert not spill.exists()
    assert not (tmp_path / "one").exists()


def test_a_leftover_goes_with_its_block(tmp_path: Path) -> None:
    with leftovers.leftover(tmp_path / "a") as path:
        path.mkdir()
        (path / "file").write_text("x")
    assert not path.exists()
