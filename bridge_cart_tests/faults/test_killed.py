"""kill -9 at any point, then a run: nothing is lost, nothing is there twice."""

import itertools
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path

import duckdb
import polars as pl
import pytest

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.landing import Form, Target
from bridge_cart_assets.generator.shop import TOPICS, generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline import chain
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.pipeline.rebuild import clear
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.silver import TABLES
from bridge_cart_tests.faults import kill_target
from bridge_cart_tests.faults.extent import KILLS
from bridge_cart_tests.faults.subprocesses import start
from bridge_cart_tests.kafka.mock import MockCluster
from bridge_cart_tests.lakehouse.tables import WITHOUT_MODEL, contents, differences

WAYS = (*map(str, Form), str(Target.KAFKA))
IDENTITY = ["_fingerprint", "_pos"]
# The first commit of a run is a source's; the second one is another table's or source's.
AT_THE_SECOND = ("before commit", "parquet written")


@contextmanager
def arriving(way: str) -> Iterator[Callable[[Path, int], None]]:
    """How a shop's days arrive in a folder: `arrive(folder, days)`; one cluster for all folders."""
    made = partial(Shop, customers=100, newcomers=3.0, dirt=0.25)
    with ExitStack() as stack:
        brokers = {}
        if way == Target.KAFKA:
            cluster = stack.enter_context(MockCluster())
            for topic in TOPICS.values():
                cluster.create_topic(topic, partitions=2)
            brokers = {"bootstrap.servers": cluster.bootstrap}
            made = partial(made, form=Form.NDJSON, to=Target.KAFKA)
        else:
            made = partial(made, form=Form(way))

        def arrive(folder: Path, days: int) -> None:
            folder.mkdir(exist_ok=True)
            if brokers:
                (folder / "brokers").write_text(brokers["bootstrap.servers"])
            generate(made(days=days), folder, brokers=brokers)

        yield arrive


@pytest.fixture(scope="module", params=WAYS)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A shop in two deliveries: `first` has been taken in, the second has only arrived."""
    root = tmp_path_factory.mktemp(request.param)
    with arriving(request.param) as arrive:
        arrive(root / "first", 10)
        kill_target.run(root / "first")
        shutil.copytree(root / "first", root / "whole")
        arrive(root / "whole", 16)
        kill_target.run(root / "whole")
        yield root


def half_done(shop: Path, folder: Path) -> Path:
    """The lake after the first delivery; what arrived after the second."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(shop / "first" / "lake", folder / "lake")
    shutil.copy(shop / "first" / "bridge_cart.duckdb", folder)
    if (shop / "first" / "brokers").exists():
        shutil.copy(shop / "first" / "brokers", folder)
    else:
        shutil.copytree(shop / "whole" / "landing", folder / "landing")
    return folder


def raw_rows(data: Path) -> dict[str, pl.DataFrame]:
    """Every raw record, but for when and by which run it was taken."""
    lake = Lake(str(data / "lake"))
    return {
        s.name: lake.snapshot(s.raw).read().drop("_ingested_at", "_batch_id").sort(IDENTITY)
        for s in SOURCES
    }


def same_records(found: dict[str, pl.DataFrame], wanted: dict[str, pl.DataFrame]) -> None:
    for name, rows in found.items():
        assert not rows.select(IDENTITY).is_duplicated().any(), f"{name} has records twice"
        assert rows.equals(wanted[name]), f"{name} differs"


@cache
def undisturbed(whole: Path) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame], int]:
    """Raw, all tables, and the orders in the catalogue of a lake that nothing happened to."""
    return raw_rows(whole), contents(Lake(str(whole / "lake"))), orders_in_catalogue(whole)


def orders_in_catalogue(data: Path) -> int:
    with duckdb.connect(str(data / "bridge_cart.duckdb"), read_only=True) as connection:
        row = connection.execute("SELECT sum(orders) FROM gold.kpis_daily").fetchone()
    assert row is not None
    return int(row[0])


def is_as_if_nothing_had_happened(data: Path, shop: Path) -> None:
    raw, tables, orders = undisturbed(shop / "whole")
    same_records(raw_rows(data), raw)
    assert differences(tables, contents(Lake(str(data / "lake")))) == []
    assert orders_in_catalogue(data) == orders


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_killed_at_each_point_in_turn_day_after_day(tmp_path: Path, way: str) -> None:
    """A day arrives and its run is killed at a point; the next one has to clear up after it."""
    data = tmp_path / "data"
    with arriving(way) as arrive:
        days = itertools.count(3)
        for point in kill_target.POINTS:
            # A day without a correction merges nothing: the next one may.
            for _ in range(5):
                arrive(data, next(days))
                code = start(data, point, 2 if point in AT_THE_SECOND else 1).wait()
                if code:
                    break
            assert code == -signal.SIGKILL, f"{point} was not reached"
        kill_target.run(data)
        whole = tmp_path / "whole"
        whole.mkdir()
        if (data / "brokers").exists():
            shutil.copy(data / "brokers", whole)
        else:
            shutil.copytree(data / "landing", whole / "landing")
        kill_target.run(whole)
    wanted, found = Lake(str(whole / "lake")), Lake(str(data / "lake"))
    same_records(raw_rows(data), raw_rows(whole))
    assert differences(contents(wanted, WITHOUT_MODEL), contents(found, WITHOUT_MODEL)) == []
    # The runs in between have trained models of their own, so silver and gold are rebuilt.
    clear(found)
    chain.refresh_silver(found, Path("nowhere"), settings=kill_target.settings_of(data))
    chain.refresh_gold(found)
    assert differences(contents(wanted), contents(found)) == []


@pytest.mark.long
@pytest.mark.parametrize("point", kill_target.POINTS)
def test_killed_at_a_point_and_run_again(shop: Path, tmp_path: Path, point: str) -> None:
    data = half_done(shop, tmp_path)
    killed = start(data, point, 2 if point in ("read", "parsed", *AT_THE_SECOND) else 1)
    assert killed.wait() == -signal.SIGKILL, "the point was not reached"
    kill_target.run(data)
    is_as_if_nothing_had_happened(data, shop)


@pytest.mark.long
@pytest.mark.parametrize("shop", [str(form) for form in Form], indirect=True)
@pytest.mark.parametrize("point", kill_target.WITH_LARGE_FILES)
def test_killed_within_a_large_file_and_run_again(shop: Path, tmp_path: Path, point: str) -> None:
    data = half_done(shop, tmp_path)
    assert start(data, point, 3).wait() == -signal.SIGKILL, "the point was not reached"
    kill_target.run(data)
    is_as_if_nothing_had_happened(data, shop)


@pytest.mark.long
def test_killed_at_random_moments_and_run_again(shop: Path, tmp_path: Path) -> None:
    """Again and again over the same lake, anywhere between raw and the catalogue."""
    chance = random.Random(4)  # noqa: S311 (moments, not secrets)
    data = half_done(shop, tmp_path / "undisturbed")
    first = start(data, "never")
    began = time.monotonic()
    assert first.wait() == 0
    whole_run = time.monotonic() - began
    data = half_done(shop, tmp_path / "killed")
    before = reached(data)
    wanted = -(-KILLS // len(WAYS))
    killed: Counter[str] = Counter()
    for _ in range(4 * wanted):
        process = start(data, "never")
        time.sleep(chance.uniform(0.0, whole_run))
        process.kill()
        if process.wait() == -signal.SIGKILL:
            after = reached(data)
            killed[
                next((layer for layer in after if after[layer] != before[layer]), "nothing")
            ] += 1
        if killed.total() == wanted:
            break
        if process.returncode == 0 or chance.random() < 0.4:
            shutil.rmtree(data)
            half_done(shop, data)
    kill_target.run(data)
    is_as_if_nothing_had_happened(data, shop)
    print(f"{killed.total()} kills in {whole_run:.1f} s, had written: {dict(killed)}")
    assert killed.total() == wanted


def reached(data: Path) -> dict[str, list[int | None]]:
    """Versions of the tables by layer, the last one first: what a run has written so far."""
    lake = Lake(str(data / "lake"))
    layers = {"gold": GOLD_TABLES, "silver": TABLES, "raw": [source.raw for source in SOURCES]}
    return {layer: [lake.snapshot(t).version for t in tables] for layer, tables in layers.items()}
