"""`bridge-cart export` and `erase`: what they say, what is left, and what a kill leaves."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from bridge_cart_assets.pipeline.open_erasure import begin_erasure
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.conftest import Command, environment_of
from bridge_cart_tests.erasure.byte_search import found_in
from bridge_cart_tests.erasure.shop import PERSON, WORDS, land, land_later
from bridge_cart_tests.faults.command_rounds import random_moments

DOCS = Path(__file__).parents[2] / "docs"
KILLS = 6


def receipt_in(page: str) -> dict[str, object]:
    found = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert found is not None
    receipt: dict[str, object] = json.loads(found[1])
    return receipt


def name_in_history(home: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a check or an error may name somebody: in an event, and in captured output."""
    with monkeypatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            event = dg.AssetMaterialization("named", description=text, metadata={"who": text})
            instance.report_runless_asset_event(event)
    captured = home / "storage" / "some-run" / "compute_logs" / "step.out"
    captured.parent.mkdir(parents=True)
    captured.write_text(f"{text}\n7 customers\n")


@pytest.mark.slow
def test_a_person_is_shown_erased_and_never_seen_again(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path / "landing")
    assert command("run").returncode == 0
    says = "customer PX-100 (Vera Quillfeather, 'vera.quill@example.org') has OX-1."
    name_in_history(tmp_path / "dagster", says, monkeypatch)
    assert {file.partition("/")[0] for file, _ in found_in(tmp_path, PERSON)} >= {
        "bridge_cart.duckdb",
        "dagster",
        "lake",
        "landing",
    }
    shown = json.loads(command("export", PERSON[0]).stdout)
    assert set(shown["identities"]) >= {*PERSON}
    assert shown["tables"]["silver/customers"][0]["name"] == "Vera Quillfeather"

    unknown = command("erase", "nobody", "--yes")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1)
    assert command("export", "nobody").returncode == 1
    unsure = command("erase", PERSON[0])
    assert unsure.returncode == 2
    assert "raw/customers: 3 rows" in unsure.stdout
    assert command("erase").returncode == 2
    assert found_in(tmp_path, PERSON)

    done = command("erase", PERSON[0], "--yes")
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)
    assert (receipt["persons"], receipt["ids"], receipt["not_rewritten"]) == (1, 3, {})
    assert receipt["dagster"]["rows"] > 0
    assert receipt["dagster"]["files"] == 1
    captured = tmp_path / "dagster/storage/some-run/compute_logs/step.out"
    left = "customer [erased] ([erased], '[erased]') has [erased].\n7 customers\n"
    assert captured.read_text() == left
    assert [json.loads(p.read_text()) for p in (tmp_path / "erasures").iterdir()] == [receipt]
    assert receipt.keys() == receipt_in((DOCS / "erasure.md").read_text()).keys()
    assert found_in(tmp_path, WORDS) == []
    assert "nothing new" in command("run").stdout

    land_later(tmp_path / "landing")
    assert command("run").returncode == 0
    assert found_in(tmp_path / "lake", WORDS) == []
    assert found_in(tmp_path / "dagster", WORDS) == []


@pytest.mark.slow
def test_a_file_that_is_still_being_landed_is_named(command: Command, tmp_path: Path) -> None:
    land(tmp_path / "landing")
    assert command("run").returncode == 0
    (tmp_path / "landing/purchases/next.csv.tmp").write_text("OX-11,PX-100")
    done = command("erase", PERSON[0], "--yes")
    assert done.returncode == 1
    assert "purchases/next.csv.tmp" in done.stderr
    assert {file for file, _ in found_in(tmp_path, PERSON)} == {
        "landing/purchases/next.csv.tmp",
    }


@pytest.mark.slow
def test_a_run_completes_what_was_begun(command: Command, tmp_path: Path) -> None:
    land(tmp_path / "landing")
    assert command("run").returncode == 0
    begin_erasure(Settings(data=tmp_path), [PERSON[0]])
    again = command("run")
    assert again.returncode == 0, again.stderr
    assert "completed an erasure that was cut off" in again.stderr
    assert found_in(tmp_path, WORDS) == []
    assert not (tmp_path / "erasing.json").exists()


@pytest.mark.slow
def test_killed_at_any_moment_the_next_run_completes_it(tmp_path: Path) -> None:
    def complete(data: Path, *arguments: str) -> None:
        # Its streams are read and closed, or pytest itself ends with an error.
        with begin(data, *arguments) as process:
            _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said

    def begin(data: Path, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "bridge_cart_assets", *arguments],
            env=environment_of(data),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    whole = tmp_path / "whole"
    land(whole / "landing")
    complete(whole, "run")
    before = tmp_path / "before"
    subprocess.run(["cp", "-a", whole, before], check=True)
    began = time.monotonic()
    complete(whole, "erase", PERSON[0], "--yes")
    usual = time.monotonic() - began
    ways = []
    for number, moment in enumerate(random_moments(KILLS, usual, seed=18)):
        data = tmp_path / f"killed-{number}"
        subprocess.run(["cp", "-a", before, data], check=True)
        erasing = begin(data, "erase", PERSON[0], "--yes")
        time.sleep(moment)
        erasing.send_signal(signal.SIGKILL)
        erasing.communicate()
        is_open = (data / "erasing.json").exists()
        verb = ("run",) if is_open else ("erase", PERSON[0], "--yes")
        again = begin(data, *verb)
        _, said = again.communicate(timeout=300)
        ways.append((round(moment, 1), verb[0]))
        is_done = "nothing is stored" in said
        assert again.returncode == 0 or is_done, (ways, said)
        assert found_in(data, WORDS) == [], ways
    print(f"erasures killed after seconds, and what completed them: {ways}")
