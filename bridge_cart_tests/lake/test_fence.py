"""A question reads the lake and nothing else, in bounded memory, and Ctrl-C ends it."""

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bridge_cart_assets.lake import query as query_module
from bridge_cart_assets.lake.fence import attach_fenced
from bridge_cart_assets.lake.query import QueryRefusedError, asking, query, reading


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A catalogue with a view of silver, as a run builds it, and one file more beside it."""
    lake = tmp_path / "lake" / "silver" / "purchases"
    lake.mkdir(parents=True)
    path = tmp_path / "bridge_cart.duckdb"
    with duckdb.connect(str(path)) as connection:
        for file in (lake / "a.parquet", tmp_path / "other.parquet"):
            connection.execute(f"COPY (SELECT 'O1' AS order_id) TO '{file}'")
        connection.execute("CREATE SCHEMA silver; CREATE SCHEMA gold; CREATE SCHEMA meta")
        connection.execute(
            "CREATE VIEW silver.purchases AS "
            f"SELECT order_id FROM read_parquet(['{lake}/a.parquet'])"
        )
    return path


def test_views_of_silver_are_answered(catalogue: Path) -> None:
    assert query(catalogue, "FROM silver.purchases").rows == [("O1",)]
    # By the name of the file too, as it is when the file is opened.
    assert query(catalogue, "FROM bridge_cart.silver.purchases").rows == [("O1",)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/proc/self/environ')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM '{folder}/other.parquet'",
        "SELECT * FROM read_parquet('{folder}/lake/silver/*/*.parquet')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('{folder}/other.parquet')",
        "SELECT * FROM read_parquet('https://example.invalid/a.parquet')",
        "SELECT * FROM read_parquet('s3://bucket/a.parquet')",
        "SELECT st_point(1, 2)",
        "SELECT * FROM duckdb_extensions()",
        "SELECT * FROM statement",
    ],
)
def test_nothing_else_is_read_and_nothing_fetched(catalogue: Path, statement: str) -> None:
    statement = statement.format(folder=catalogue.parent)
    with pytest.raises(QueryRefusedError):
        query(catalogue, statement)


@pytest.mark.parametrize(
    "name",
    [
        "autoinstall_known_extensions",
        "autoload_known_extensions",
        "allow_community_extensions",
        "allow_persistent_secrets",
        "python_enable_replacements",
        "enable_external_access",
    ],
)
def test_what_a_question_never_needs_is_off(catalogue: Path, name: str) -> None:
    """Each by itself: most of them are refused for another reason too while all are off."""
    with attach_fenced(catalogue, "c") as connection:
        assert connection.execute("SELECT current_setting($1)", [name]).fetchone() == (False,)


def test_what_is_spilled_goes_where_only_its_owner_looks(catalogue: Path) -> None:
    with attach_fenced(catalogue, "c") as connection:
        found = connection.execute("SELECT current_setting('temp_directory')").fetchone()
    assert found is not None
    folder = Path(found[0])
    assert folder.name.startswith("bridge-cart-spill-")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_settings_stay_as_they_are(catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def attach(*args: Any, **kwargs: Any) -> duckdb.DuckDBPyConnection:
        opened.append(attach_fenced(*args, **kwargs))
        return opened[0]

    monkeypatch.setattr(query_module, "attach_fenced", attach)
    with asking(catalogue), pytest.raises(duckdb.Error, match="locked"):
        opened[0].execute("SET memory_limit = '8GB'")


def test_memory_is_that_of_the_setting(catalogue: Path) -> None:
    # It cannot be spilled: one value.
    question = "SELECT len(list(i)) FROM range(30_000_000) t(i)"
    with (
        pytest.raises(QueryRefusedError, match="more than 64MB of memory"),
        reading(catalogue, question, "64MB") as rows,
    ):
        list(rows.batches)


def test_rows_that_never_end_come_batch_by_batch(catalogue: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with reading(catalogue, "SELECT i, 'x' || i FROM range(1_000_000_000_000) t(i)") as rows:
        for _ in range(20):
            assert next(rows.batches)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200 * 1024


def hears_sigterm(pid: int) -> bool:
    """Whether the command has its own handlers of signals."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << signal.SIGTERM - 1)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range % 7 = b.range",
        "SELECT i FROM range(1000000000000) t(i)",
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r",
    ],
)
def test_ctrl_c_ends_an_endless_question(catalogue: Path, statement: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge_cart_assets", "sql", statement, "--format", "csv"],
        env={**os.environ, "BRIDGE_CART_DATA": str(catalogue.parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        until = time.monotonic() + 60
        while not hears_sigterm(process.pid):
            assert time.monotonic() < until, "it never listens to signals"
            time.sleep(0.1)
        time.sleep(2)
        assert process.poll() is None, process.stderr and process.stderr.read()
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        assert process.wait(10) == 128 + signal.SIGINT
        assert time.monotonic() - asked < 2
    finally:
        process.kill()
        process.communicate()
