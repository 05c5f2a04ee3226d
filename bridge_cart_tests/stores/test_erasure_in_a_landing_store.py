"""A person is erased from files that landed in an object store as from files in a folder."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest

from bridge_cart_assets.ingestion import rewriting
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import ObjectStore, object_store
from bridge_cart_assets.pipeline import chain, erasure
from bridge_cart_assets.pipeline.hash_key import hash_key_in
from bridge_cart_assets.pipeline.person_data import data_of
from bridge_cart_assets.pipeline.person_index import find_persons
from bridge_cart_assets.pipeline.plan import plan
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.erasure.byte_search import found_in
from bridge_cart_tests.erasure.shop import PERSON, WORDS, land
from bridge_cart_tests.erasure.test_erasure import BEGAN, KilledError, cut_off_after
from bridge_cart_tests.stores.servers import Server

RETRACTED = "_retracted/purchases/2023-01-05.csv"
LINE = "order_id,customer_id,purchase_date,purchase_amount"


def settings_of(server: Server, bucket: str, data: Path) -> Settings:
    return Settings(
        data=data,
        lake=f"s3://{bucket}/lake",
        landing_at=f"s3://{bucket}/landing",
        start_date=date(2024, 1, 1),
        storage_options=server.environment(),
    )


def landing_of(settings: Settings) -> ObjectStore:
    return object_store(settings.landing_at, settings.storage_options)


def land_in_store(settings: Settings, beside: Path) -> None:
    land(beside)
    for path in sorted(p for p in beside.rglob("*") if p.is_file()):
        landing_of(settings).write(path.relative_to(beside).as_posix(), path.read_bytes())
    taken_back = f"{LINE}\nOX-11,PX-100,2023-01-05,1\nO30,C2,2023-01-05,1\n"
    landing_of(settings).write(RETRACTED, taken_back.encode())


def whole_bucket(server: Server, bucket: str, folder: Path) -> Path:
    """All objects of the bucket as files in a new folder."""
    store = object_store(f"s3://{bucket}", server.environment())
    for found in store.objects():
        path = folder / found.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.read(found.path))
    return folder


def refresh(settings: Settings, lake: Lake) -> None:
    chain.refresh_silver(lake, settings.landing_zone, settings=settings.silver)


@contextmanager
def _undisturbed() -> Iterator[None]:
    yield


# What is cut off, after how many calls; and an object that somebody replaces meanwhile.
POINTS = {
    "never": None,
    "raw knows a new object": (erasure, "announce", 2),
    "an object replaced": (ObjectStore, "replace", 3),
    "landing rewritten": (erasure, "rewrite_landing", 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_no_object_of_the_bucket_names_the_person(
    server: Server, bucket: str, tmp_path: Path, point: str
) -> None:
    settings = settings_of(server, bucket, tmp_path / "data")
    lake = Lake(settings.lake, settings.storage_options)
    land_in_store(settings, tmp_path / "files")
    refresh(settings, lake)
    key = hash_key_in(settings.hash_key) or b""
    index = find_persons(lake, [PERSON[0]], key)
    shown = data_of(lake, settings.landing_zone, index, key)["landing"]
    assert {RETRACTED, "purchases/2024-01-05.parquet", "customers/2024-01-02.csv"} <= {*shown}
    before = whole_bucket(server, bucket, tmp_path / "before")
    assert {word for _, word in found_in(before / "landing", WORDS)} >= {*PERSON, "OX-11"}

    where = POINTS[point]
    if where is not None:
        owner, name, times = where
        disturbed = cut_off_after(getattr(owner, name), times)
        with patch.object(owner, name, disturbed), pytest.raises(KilledError):
            erasure.erase_rows(lake, settings, index, BEGAN)
    done = erasure.erase_rows(lake, settings, index, BEGAN, is_resumed=where is not None)
    erasure.forget_versions(lake, settings)
    assert done.left == {}
    after = whole_bucket(server, bucket, tmp_path / "after")
    assert found_in(after, WORDS) == []
    assert found_in(settings.data, WORDS) == []
    # What is another's is there still, and nothing is taken again.
    assert (after / "landing" / RETRACTED).read_text() == f"{LINE}\nO30,C2,2023-01-05,1\n"
    names = {f.relative_to(before) for f in (before / "landing").rglob("*.*")}
    assert {f.relative_to(after) for f in (after / "landing").rglob("*.*")} == names
    assert plan(settings, lake).files == ()
    assert not list(Path(rewriting.mkdtemp()).parent.glob("bridge-cart-erase-*"))


@pytest.mark.slow
def test_an_object_that_is_replaced_meanwhile_is_read_again(
    server: Server, bucket: str, tmp_path: Path
) -> None:
    settings = settings_of(server, bucket, tmp_path / "data")
    lake = Lake(settings.lake, settings.storage_options)
    land_in_store(settings, tmp_path / "files")
    refresh(settings, lake)
    index = find_persons(lake, [PERSON[0]], hash_key_in(settings.hash_key) or b"")
    name = "purchases/2024-01-02.csv"
    newer = f"{LINE}\nOX-1,PX-100,2024-01-02,99\nO31,C2,2024-01-02,99\n".encode()
    replace = ObjectStore.replace
    times: list[str] = []

    def replaced_before(store: ObjectStore, path: str, file: Path, etag: str) -> str:
        if path == name and not times:
            times.append(path)
            store.write(path, newer)
        return replace(store, path, file, etag)

    with patch.object(ObjectStore, "replace", replaced_before):
        done = erasure.erase_rows(lake, settings, index, BEGAN)
    assert (times, done.left) == ([name], {})
    assert landing_of(settings).read(name).decode() == f"{LINE}\nO31,C2,2024-01-02,99\n"
    refresh(settings, lake)
    # The newer object is another content: it is taken.
    taken = {file.object for file in list_landing(landing_of(settings), "purchases")}
    assert "2024-01-02.csv" in taken
    raw = lake.snapshot(next(s.raw for s in chain.SOURCES if s.name == "purchases")).read()
    assert "O31" in set(raw["order_id"])


@pytest.mark.slow
def test_the_command_says_what_a_versioned_bucket_keeps(
    server: Server, bucket: str, tmp_path: Path
) -> None:
    server.keep_versions(bucket)
    data = tmp_path / "data"
    settings = settings_of(server, bucket, data)
    land_in_store(settings, tmp_path / "files")
    landing_of(settings).write("purchases/next.csv.tmp", b"OX-11,PX-100")
    environment = {
        **environment_of(data),
        **server.environment(),
        "BRIDGE_CART_LAKE": settings.lake,
        "BRIDGE_CART_LANDING": settings.landing_at,
    }

    def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "bridge_cart_assets", *arguments],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )

    assert command("run").returncode == 0
    done = command("erase", PERSON[0], "--yes")
    assert done.returncode == 1, done.stderr
    receipt = json.loads(done.stdout)
    assert set(receipt["out_of_reach"]) == {settings.lake, settings.landing_at}
    assert receipt["not_rewritten"] == {"purchases/next.csv.tmp": "it is still being landed"}
    assert f"not reached: {settings.landing_at}: earlier versions of its objects" in done.stderr
    landing_of(settings).delete(["purchases/next.csv.tmp"])
    assert found_in(whole_bucket(server, bucket, tmp_path / "after"), WORDS) == []
