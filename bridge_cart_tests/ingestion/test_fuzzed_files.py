"""Any bytes as any kind of file end as records that are counted, or as a file that is refused."""

import itertools
import resource
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge_cart_assets.ingestion import files as reading
from bridge_cart_assets.ingestion.files import Content, FileRefusedError, open_file, read_file
from bridge_cart_assets.ingestion.landing import LandedFile, list_landing
from bridge_cart_assets.ingestion.readers import read_parts, read_records
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.pipeline.losses import missing_records
from bridge_cart_assets.pipeline.pending import pending_days
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.ingestion.fuzzed_files import Fuzzed, fuzzed_files

BY_NAME = {source.name: source for source in SOURCES}
# A file of some kilobytes.
MOST_CPU_SECONDS = 5
MOST_BYTES = 512 * 1024**2
COUNTS = ("blank", "quarantined", "accepted", "duplicate", "superseded")
BOUNDED = {"deadline": None, "suppress_health_check": list(HealthCheck)}
NUMBERS = itertools.count()


def landed(root: Path, fuzzed: Fuzzed) -> LandedFile:
    source, ending, data = fuzzed
    folder = root / str(next(NUMBERS)) / source
    folder.mkdir(parents=True)
    (folder / f"2024-01-03.{ending}").write_bytes(data)
    [file] = list_landing(folder.parent, source)
    return file


def check_records(records: pl.DataFrame) -> None:
    assert records["_pos"].to_list() == list(range(1, records.height + 1))
    assert set(records["_status"]) <= {"ok", "quarantined", "blank"}
    bad = records["_status"] == "quarantined"
    assert records["_error_code"].is_not_null().equals(bad)
    assert records.filter(bad)["_raw"].null_count() == 0


def read_once(file: LandedFile) -> pl.DataFrame | None:
    """Its records; None when it is refused."""
    source = BY_NAME[file.source]
    try:
        content: Content = read_file(file)
        whole = read_records(content, source).records
    except FileRefusedError as refused:
        refusal = refused
    else:
        check_records(whole)
        return whole
    assert refusal.reason.isupper()
    assert 0 < len(str(refusal)) < 2000
    return None


def try_reading(root: Path, fuzzed: Fuzzed) -> None:
    began = time.process_time()
    file = landed(root, fuzzed)
    read_once(file)
    assert time.process_time() - began < MOST_CPU_SECONDS


def try_parts(root: Path, fuzzed: Fuzzed, size: int) -> None:
    """Read as a large file, part by part: the same records, or refused likewise."""
    file = landed(root, fuzzed)
    whole = read_once(file)
    if whole is None:
        return
    with pytest.MonkeyPatch.context() as patch, open_file(file) as opened:
        patch.setattr(reading, "PART_BYTES", size)
        content, source = read_file(file), BY_NAME[file.source]
        parts = [part.read.records for part in read_parts(content, opened, source)]
    assert sum(part.height for part in parts) == whole.height


def try_folding(root: Path, some: list[Fuzzed]) -> None:
    """Through to silver: every file is in the ledger, and every record is counted."""
    folder = root / str(next(NUMBERS))
    for number, (source, ending, data) in enumerate(some):
        path = folder / "landing" / source / f"{number}_2024-01-03.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    lake = Lake(str(folder / "lake"))
    refresh_silver(lake, folder / "landing")
    ledger = lake.snapshot(FILES).read()
    assert ledger.height == len(some)
    assert set(ledger["state"]) <= {"taken", "repeated", "refused"}
    accounting = lake.snapshot(ACCOUNTING).read()
    assert (
        accounting["records"].to_list()
        == accounting.select(pl.sum_horizontal(COUNTS)).to_series().to_list()
    )
    assert accounting["raw_records"].sum() == sum(
        lake.snapshot(source.raw).rows for source in SOURCES
    )
    of_orders = [source.name for source in SOURCES if source.feeds is PURCHASES]
    accepted = accounting.filter(pl.col("source").is_in(of_orders))["accepted"].sum()
    assert accepted == lake.snapshot(PURCHASES).rows
    assert not any(pending_days(lake, SOURCES).values())
    assert missing_records(lake) == []


@settings(max_examples=30, **BOUNDED)  # type: ignore[arg-type]
@given(fuzzed=fuzzed_files())
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, fuzzed: Fuzzed
) -> None:
    try_reading(tmp_path_factory.getbasetemp() / "fuzzed", fuzzed)


@pytest.mark.slow
@settings(max_examples=60, **BOUNDED)  # type: ignore[arg-type]
@given(fuzzed=fuzzed_files(), size=st.sampled_from([1, 40, 300]))
def test_read_in_parts_they_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, fuzzed: Fuzzed, size: int
) -> None:
    try_parts(tmp_path_factory.getbasetemp() / "fuzzed", fuzzed, size)


@pytest.mark.slow
@settings(max_examples=3, **BOUNDED)  # type: ignore[arg-type]
@given(some=st.lists(fuzzed_files(), min_size=10, max_size=25))
def test_what_was_read_is_counted_in_silver(
    tmp_path_factory: pytest.TempPathFactory, some: list[Fuzzed]
) -> None:
    try_folding(tmp_path_factory.getbasetemp() / "fuzzed", some)


@pytest.mark.long
@settings(max_examples=max(50, 50 * EXAMPLES), **BOUNDED)  # type: ignore[arg-type]
@given(fuzzed=fuzzed_files())
def test_many_more_are_read_in_bounded_memory(
    tmp_path_factory: pytest.TempPathFactory, fuzzed: Fuzzed
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try_reading(tmp_path_factory.getbasetemp() / "fuzzed", fuzzed)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < MOST_BYTES


@pytest.mark.long
@settings(max_examples=max(10, EXAMPLES), **BOUNDED)  # type: ignore[arg-type]
@given(some=st.lists(fuzzed_files(), min_size=10, max_size=25))
def test_many_more_are_counted_in_silver(
    tmp_path_factory: pytest.TempPathFactory, some: list[Fuzzed]
) -> None:
    try_folding(tmp_path_factory.getbasetemp() / "fuzzed", some)
