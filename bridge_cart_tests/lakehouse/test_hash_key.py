"""The key of the addresses' hashes: made once, for its owner only, never replaced by a bad one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge_cart_assets.pipeline.hash_key import HashKeyError, hash_key_in


def test_the_key_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "identity.key"
    key = hash_key_in(path)
    assert key is not None
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert hash_key_in(path) == key
    assert [file.name for file in path.parent.iterdir()] == ["identity.key"]


def test_runs_that_begin_together_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(hash_key_in, [tmp_path / "identity.key"] * 32))
    assert len(keys) == 1


@pytest.mark.parametrize("content", ["", "no key", "0f" * 31, "0f" * 33])
def test_a_file_without_a_key_is_refused_and_stays(tmp_path: Path, content: str) -> None:
    path = tmp_path / "identity.key"
    path.write_text(content)
    with pytest.raises(HashKeyError, match=r"identity\.key has no key of 32 bytes"):
        hash_key_in(path)
    assert path.read_text() == content


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "identity.key").mkdir()
    with pytest.raises(HashKeyError, match="cannot be used"):
        hash_key_in(tmp_path / "identity.key")


def test_without_a_file_there_is_no_key() -> None:
    assert hash_key_in(None) is None
