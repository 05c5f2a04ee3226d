"""Lakes of earlier releases: refused, migrated, and then equal to what this version makes."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.lake import snapshot
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.lake_format import (
    CURRENT,
    LAKE_FORMATS,
    OtherFormatError,
    refuse_other_format,
    stored_format,
)
from bridge_cart_assets.pipeline.open_erasure import begin_erasure
from bridge_cart_assets.pipeline.raw_migration import migrated_records
from bridge_cart_assets.pipeline.rebuild import begin_rebuild, refuse_to_lose
from bridge_cart_assets.pipeline.stored_tables import RAW_TABLES, STORED_TABLES
from bridge_cart_assets.settings import Settings, SilverSettings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import FORMATS
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.faults.command_rounds import random_moments
from bridge_cart_tests.lakehouse.tables import (
    ALL,
    MODEL_DEPENDENT,
    WITHOUT_MODEL,
    contents,
    differences,
)
from bridge_cart_tests.releases.make import deliver, deliveries, unpack

# The format of each release's lake, and whether silver and gold are made again.
RELEASES = {"0.1.0": 1, "0.2-exports": 2, "0.2-persons": 3}
EARLIER = [name for name, number in RELEASES.items() if number < 3]
KILLS = 4
# The clock's time, and the run.
NOT_COMPARED = ("_ingested_at", "_batch_id")


def bridge_cart(data: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bridge_cart_assets", *arguments],
        env=environment_of(data),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def with_key(data: Path) -> Path:
    """A data folder with the key of every lake here: its hashes can be compared."""
    (data / "identity.key").write_text("07" * 32)
    return data


def digest_of(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def raw_contents(lake: Lake) -> dict[str, pl.DataFrame]:
    return {
        table.path: lake.snapshot(table).read().drop(NOT_COMPARED).sort("_fingerprint", "_pos")
        for table in RAW_TABLES
    }


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """What this version makes of the files of all releases."""
    data = with_key(tmp_path_factory.mktemp("reference"))
    for delivery in deliveries():
        deliver(delivery, data)
    made = bridge_cart(data, "run")
    assert made.returncode == 0, made.stderr
    return Lake(str(data / "lake"))


@pytest.mark.parametrize("name", RELEASES)
def test_a_lake_tells_its_format_without_saying_it(name: str, tmp_path: Path) -> None:
    unpack(name, tmp_path / "data")
    lake = Lake(str(tmp_path / "data" / "lake"))
    assert stored_format(lake) == RELEASES[name]
    if name in EARLIER:
        with pytest.raises(OtherFormatError, match=r"(?s)format \d, now \d.*bridge-cart migrate"):
            refuse_other_format(lake)
    else:
        refuse_other_format(lake)


@pytest.mark.slow
def test_an_operation_of_the_version_before_is_left_to_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    unpack("0.2-exports", data)
    begin_erasure(Settings(data=data, lake=str(data / "lake")), ["C1"])
    said = bridge_cart(data, "migrate")
    assert said.returncode == 1
    assert "finish it with the version that began it" in said.stderr
    assert (data / "erasing.json").exists()
    assert stored_format(Lake(str(data / "lake"))) == 2


@pytest.mark.slow
def test_what_cannot_be_completed_is_not_begun(tmp_path: Path) -> None:
    data = tmp_path / "data"
    unpack("0.2-exports", data)
    before = digest_of(data / "lake")
    for arguments in (
        ("retract", "purchases/orders_2024-01-01_2024-01-02.csv"),
        ("erase", "C1"),
        ("restore", "--as-of", datetime.now(UTC).isoformat()),
    ):
        said = bridge_cart(data, *arguments, "--yes")
        assert (said.returncode, "bridge-cart migrate" in said.stderr) == (1, True), said.stderr
        assert not list(data.glob("*ing.json")), arguments
    assert digest_of(data / "lake") == before


def test_an_empty_lake_has_no_format(tmp_path: Path) -> None:
    assert stored_format(Lake(str(tmp_path))) is None


@pytest.mark.slow
def test_a_lake_of_a_later_version_is_refused(
    tmp_path: Path, command: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    row = {"number": CURRENT + 1, "change": "?", "since": datetime.now(UTC), "run_id": "r"}
    lake.snapshot(FORMATS).append(pl.DataFrame([row], schema=FORMATS.dtypes), Commit("r"))
    (tmp_path / "landing").mkdir()
    before = digest_of(tmp_path / "lake")
    for verb in ("run", "status", "check", "retrain", "rebuild", "migrate"):
        said = command(verb)
        assert said.returncode == 1, verb
        assert "of a later version" in said.stderr, verb
        assert len(said.stderr.strip().splitlines()) == 2, said.stderr
    assert digest_of(tmp_path / "lake") == before


def test_a_change_of_tables_counts_the_format_up() -> None:
    """With another column or type: a new LakeFormat, and its digest here."""
    declared = {
        table.path: {name: str(dtype) for name, dtype in table.dtypes.items()}
        for table in STORED_TABLES
    }
    digest = hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:16]
    digests = json.loads((Path(__file__).parent / "formats.json").read_text())
    assert digests.get(str(CURRENT)) == digest
    assert [change.number for change in LAKE_FORMATS] == list(range(1, CURRENT + 1))


def test_values_of_columns_that_a_source_has_by_now_leave_rescued() -> None:
    [source] = [source for source in SOURCES if source.name == "purchases"]
    rescued = [
        '{"E-Mail": "a@example.org", "note": "n", "currency": 978}',
        '{"email": "b@example.org"}',
        '{"note": "n"}',
        None,
    ]
    there = ["EUR", None, None, None]
    rows = pl.DataFrame({"_rescued": rescued, "currency": there}).select(
        *(
            pl.col(name) if name in ("_rescued", "currency") else pl.lit(None, dtype).alias(name)
            for name, dtype in source.raw.dtypes.items()
        )
    )
    rows = rows.with_columns(
        _object=pl.lit("orders_2024-01-01_2024-01-31.csv"),
        _fingerprint=pl.lit("0" * 64),
        _batch_day=pl.lit(date(2024, 1, 1)),
    )
    migrated = migrated_records(rows, source)
    assert migrated is not None
    assert migrated["email"].to_list() == ["a@example.org", "b@example.org", None, None]
    assert migrated["currency"].to_list() == there
    assert migrated["_rescued"].to_list() == [
        '{"note": "n", "currency": 978}',
        None,
        '{"note": "n"}',
        None,
    ]
    assert set(migrated["_batch_day"]) == {date(2024, 1, 31)}
    assert migrated_records(migrated, source) is None
    of_messages = migrated.with_columns(_fingerprint=pl.lit("t-0"), _batch_day=date(2024, 1, 2))
    assert migrated_records(of_messages, source) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", EARLIER)
def test_migrated_it_has_the_figures_of_this_version(
    name: str, tmp_path: Path, reference: Lake
) -> None:
    data = tmp_path / "a shop"
    unpack(name, data)
    with_key(data)
    before = digest_of(data / "lake")
    for refused in (("status",), ("status", "--json"), ("run",), ("check",), ("retrain",)):
        said = bridge_cart(data, *refused)
        assert said.returncode == 1, (refused, said.stdout)
        assert "bridge-cart migrate" in said.stderr
        assert len(said.stderr.strip().splitlines()) == 2, said.stderr
    shown = bridge_cart(data, "migrate", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert f"from format {RELEASES[name]} to {CURRENT}" in shown.stdout
    assert digest_of(data / "lake") == before
    migrated = bridge_cart(data, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    lake = Lake(str(data / "lake"))
    assert stored_format(lake) == CURRENT
    assert differences(contents(reference, ALL), contents(lake, ALL)) == []
    assert differences(raw_contents(reference), raw_contents(lake)) == []
    for verb in ("run", "migrate", "status", "check"):
        said = bridge_cart(data, verb)
        assert said.returncode == 0, (verb, said.stderr)
    assert differences(contents(reference, ALL), contents(lake, ALL)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RELEASES if name not in EARLIER])
def test_a_lake_that_only_lacks_columns_is_taken_over_by_the_next_run(
    name: str, tmp_path: Path
) -> None:
    data, new = tmp_path / "shop", tmp_path / "new"
    unpack(name, data)
    new.mkdir()
    (new / "identity.key").write_bytes((data / "identity.key").read_bytes())
    line = "order_id,customer_id,purchase_date,purchase_amount\nZ1,C1,2024-01-04,5\n"
    for delivery in deliveries():
        deliver(delivery, new)
    for folder in (data, new):
        (folder / "landing" / "purchases" / "2024-01-04.csv").write_text(line)
        assert bridge_cart(folder, "run").returncode == 0
    lake, expected = Lake(str(data / "lake")), Lake(str(new / "lake"))
    assert stored_format(lake) == CURRENT
    same = contents(expected, WITHOUT_MODEL)
    assert differences(same, contents(lake, WITHOUT_MODEL)) == []
    assert bridge_cart(data, "rebuild").returncode == 0
    assert bridge_cart(new, "rebuild").returncode == 0
    same = contents(expected, MODEL_DEPENDENT)
    assert differences(same, contents(lake, MODEL_DEPENDENT)) == []


class CutOffError(Exception):
    """The process ends here."""


# Commits of a migration after which it is cut off: the format that there was, accounting alone
# emptied, silver emptied, raw of one source rewritten, all but the format written.
@pytest.mark.slow
@pytest.mark.parametrize("commits", [1, 3, 9, 24, 30, 999])
def test_cut_off_after_any_commit_it_is_refused_and_begins_again(
    commits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    unpack("0.1.0", data)
    lake, landing = Lake(str(data / "lake")), data / "landing"
    settings = SilverSettings(identity_key=with_key(data) / "identity.key")
    left = iter(range(commits))
    fsync = snapshot.fsync_commit

    def cut_off(*arguments: Any) -> None:
        fsync(*arguments)
        if next(left, None) is None:
            raise CutOffError

    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "fsync_commit", cut_off)
        try:
            begin_rebuild(lake, datetime.now(UTC), settings)
        except CutOffError:
            with pytest.raises(OtherFormatError, match="bridge-cart migrate"):
                refuse_other_format(lake)
            with pytest.raises(OtherFormatError, match="bridge-cart migrate"):
                refresh_silver(lake, landing, settings=settings)
    if commits < 999:
        refuse_to_lose(lake, DayRange(date(2023, 1, 1), date(2024, 12, 31)))
        begin_rebuild(lake, datetime.now(UTC), settings)
    refresh_silver(lake, landing, settings=settings)
    new = Lake(str(tmp_path / "new"))
    refresh_silver(new, landing, settings=settings)
    assert differences(contents(new, SILVER), contents(lake, SILVER)) == []
    assert differences(raw_contents(new), raw_contents(lake)) == []


@pytest.mark.slow
def test_killed_at_any_moment_it_is_migrated_by_the_next_call(
    tmp_path: Path, reference: Lake
) -> None:
    whole = tmp_path / "whole"
    unpack("0.1.0", whole)
    began = time.monotonic()
    assert bridge_cart(with_key(whole), "migrate").returncode == 0
    usual = time.monotonic() - began
    ways = []
    for number, moment in enumerate(random_moments(KILLS, usual, seed=1)):
        data = tmp_path / f"killed-{number}"
        unpack("0.1.0", data)
        migrating = subprocess.Popen(
            [sys.executable, "-m", "bridge_cart_assets", "migrate"],
            env=environment_of(with_key(data)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moment)
        migrating.send_signal(signal.SIGKILL)
        migrating.wait()
        said = bridge_cart(data, "run")
        lake = Lake(str(data / "lake"))
        ways.append((round(moment, 1), "run" if said.returncode == 0 else "migrate"))
        if said.returncode:
            assert "bridge-cart migrate" in said.stderr, (ways, said.stderr)
            again = bridge_cart(data, "migrate")
            assert again.returncode == 0, (ways, again.stderr)
        assert differences(contents(reference, ALL), contents(lake, ALL)) == [], ways
    print(f"migrations killed after seconds, and what completed them: {ways}")


@pytest.mark.slow
def test_a_run_beside_a_migration_waits_or_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "shop"
    unpack("0.1.0", data)
    migrating = subprocess.Popen(
        [sys.executable, "-m", "bridge_cart_assets", "migrate"],
        env=environment_of(with_key(data)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    lock = data / ".erasing.lock"
    while not lock.exists() and migrating.poll() is None:
        time.sleep(0.02)
    beside = []
    while migrating.poll() is None:
        beside.append(bridge_cart(data, "retrain", "--wait", "0"))
    assert migrating.returncode == 0
    # The last one may have begun when the migration had ended.
    assert len(beside) > 1
    for said in beside[:-1]:
        assert said.returncode == 1, said.stdout
        assert "migrat" in said.stderr, said.stderr


@pytest.mark.slow
def test_dagsters_state_of_an_older_version_is_migrated(tmp_path: Path) -> None:
    data = tmp_path / "shop"
    unpack("0.2-persons", data)
    downgrade(data / "dagster")
    said = bridge_cart(data, "check")
    assert said.returncode == 1
    assert "bridge-cart migrate" in said.stderr
    migrated = bridge_cart(data, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert "its databases go from revision" in migrated.stdout
    # Tables that came since are made by the next run.
    assert bridge_cart(data, "run").returncode == 0
    assert bridge_cart(data, "check").returncode == 0
    # Its history is there: three runs before, and the check.
    assert len(json.loads(bridge_cart(data, "status", "--json").stdout)["checks"]) > 50


def downgrade(home: Path) -> None:
    """Bring the databases to the state of Dagster 1.9, by Dagster's own steps back."""
    program = f"""
import dagster as dg
from alembic import command
from dagster._core.storage.sql import get_alembic_config
with dg.DagsterInstance.get() as instance:
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    log = instance.event_log_storage
    runs = [record.run_id for record in instance.get_runs()]
    for module, connect in (
        (sqlite_run_storage, instance.run_storage.connect),
        (sqlite_schedule_storage, instance.schedule_storage.connect),
        (sqlite_event_log, log.index_connection),
        *((sqlite_event_log, lambda run=run: log.run_connection(run)) for run in runs),
    ):
        config = get_alembic_config(module.__file__)
        with connect() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, {OLDER!r})
"""
    environment = environment_of(home.parent, DAGSTER_HOME=str(home))
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


# Before run_tags got its index by run and concurrency_limits its column.
OLDER = "16e3655b4d9b"
