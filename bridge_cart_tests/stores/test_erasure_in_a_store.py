"""A person is erased from a lake in an object store as from one in a folder."""

from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import object_store
from bridge_cart_assets.pipeline import chain, erasure
from bridge_cart_assets.pipeline.hash_key import hash_key_in
from bridge_cart_assets.pipeline.person_index import find_persons
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.erasure.byte_search import found_in
from bridge_cart_tests.erasure.shop import PERSON, WORDS, land, land_later
from bridge_cart_tests.erasure.test_erasure import BEGAN, EVERY_TABLE, KilledError, cut_off_after
from bridge_cart_tests.lakehouse.tables import contents, differences, stale_tables
from bridge_cart_tests.stores.servers import Server


def refresh(settings: Settings, lake: Lake) -> None:
    chain.run(
        *(lake, settings.landing),
        catalogue=settings.catalogue,
        settings=settings.silver,
    )


@pytest.mark.slow
def test_no_object_and_no_copy_names_the_person(
    server: Server, bucket: str, tmp_path: Path
) -> None:
    root, options = f"s3://{bucket}/lake", server.environment()
    data = tmp_path / "data"
    settings = Settings(data=data, lake=root, start_date=date(2024, 1, 1), storage_options=options)
    lake = Lake(root, options)
    land(settings.landing)
    refresh(settings, lake)

    def objects() -> Path:
        folder = tmp_path / "objects"
        store = object_store(root, options)
        for found in store.objects():
            path = folder / found.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store.read(found.path))
        return folder

    def erase() -> None:
        erasure.erase_rows(lake, settings, index, BEGAN)
        refresh(settings, lake)
        erasure.forget_versions(lake, settings)

    assert {word for _, word in found_in(objects(), WORDS)} >= {*PERSON}
    index = find_persons(lake, [PERSON[0]], hash_key_in(settings.hash_key) or b"")
    cut_off = cut_off_after(erasure.forget_versions, 1)
    with patch.object(erasure, "forget_versions", cut_off), pytest.raises(KilledError):
        erase()
    erase()
    for path in sorted((tmp_path / "objects").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert found_in(objects(), WORDS) == []
    assert found_in(data, WORDS) == []
    assert stale_tables(lake) == []
    before = contents(lake, EVERY_TABLE)
    refresh(settings, lake)
    assert differences(before, contents(lake, EVERY_TABLE)) == []
    land_later(settings.landing)
    refresh(settings, lake)
    assert found_in(objects(), WORDS) == []
