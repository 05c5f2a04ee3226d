"""Bytes of landed files: unpacked whole, or refused with the reason."""

import gzip
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer

import pytest

from bridge_cart_assets.ingestion import files
from bridge_cart_assets.ingestion.files import FileRefused, read_file
from bridge_cart_assets.ingestion.landing import LandedFile, list_landing

TEXT = b"customer_id,name\n1,Anna\n2,Cy\n" * 50
PACKED = gzip.compress(TEXT)
Land = Callable[[str, bytes], LandedFile]


@pytest.fixture
def land(tmp_path: Path) -> Land:
    """Lands a file's bytes for customers and finds it there."""

    def landed(name: str, data: bytes) -> LandedFile:
        path = tmp_path / "customers" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        [file] = list_landing(tmp_path, "customers")
        return file

    return landed


def reason(file: LandedFile) -> str:
    with pytest.raises(FileRefused) as refusal:
        read_file(file)
    assert "\n" not in str(refusal.value)
    return refusal.value.reason


@pytest.mark.parametrize(
    ("name", "format"),
    [
        *(("a.csv", "csv"), ("A.CSV", "csv"), ("a.b.csv", "csv"), ("a.ndjson", "ndjson")),
        *(("a.jsonl", "ndjson"), ("a.parquet", "parquet")),
    ],
)
def test_the_format_follows_from_the_name(land: Land, name: str, format: str) -> None:
    content = read_file(land(name, TEXT))
    assert (content.format, content.data) == (format, TEXT)


def test_the_fingerprint_is_of_the_bytes_as_they_lie_there(land: Land) -> None:
    assert read_file(land("a.csv.gz", PACKED)).fingerprint == hashlib.sha256(PACKED).hexdigest()


@pytest.mark.parametrize("name", ["a.csv.gz", "a.ndjson.gz", "a.jsonl.GZ"])
def test_text_files_may_be_packed(land: Land, name: str) -> None:
    assert read_file(land(name, PACKED)).data == TEXT


def test_a_packed_file_may_have_several_members(land: Land) -> None:
    two = gzip.compress(TEXT[:700]) + gzip.compress(TEXT[700:])
    assert read_file(land("a.csv.gz", two)).data == TEXT


@pytest.mark.parametrize("kept", [5, len(PACKED) // 2, len(PACKED) - 8, len(PACKED) - 1])
def test_a_packed_file_that_ends_too_early_is_truncated(land: Land, kept: int) -> None:
    assert reason(land("a.csv.gz", PACKED[:kept])) == "TRUNCATED"


def test_a_packed_file_whose_second_member_ends_too_early_is_truncated(land: Land) -> None:
    assert reason(land("a.csv.gz", PACKED + PACKED[:-4])) == "TRUNCATED"


@pytest.mark.parametrize("position", [-8, -4], ids=["CRC", "length"])
def test_a_packed_file_with_a_wrong_checksum_is_refused(land: Land, position: int) -> None:
    spoilt = bytearray(PACKED)
    spoilt[position] ^= 0xFF
    assert reason(land("a.csv.gz", bytes(spoilt))) == "BAD_CHECKSUM"


@pytest.mark.parametrize("name", ["a.csv.gz", "a.txt", "a", "a.gz", "a.parquet.gz", "a.xlsx"])
def test_what_is_no_known_kind_of_file_is_unreadable(land: Land, name: str) -> None:
    assert reason(land(name, TEXT)) == "UNREADABLE"


def test_what_unpacks_to_more_than_is_allowed_is_too_large(
    land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", len(TEXT) - 1)
    assert reason(land("a.csv.gz", PACKED)) == "TOO_LARGE"
    monkeypatch.setattr(files, "MAX_BYTES", len(TEXT))
    assert read_file(land("a.csv.gz", PACKED)).data == TEXT


def test_what_is_larger_than_is_allowed_is_not_opened(
    land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = land("a.csv", TEXT)
    monkeypatch.setattr(files, "MAX_BYTES", len(TEXT) - 1)
    monkeypatch.setattr(os, "open", _never)
    assert reason(file) == "TOO_LARGE"


def test_a_file_that_is_gone_meanwhile_is_unreadable(land: Land) -> None:
    file = land("a.csv", TEXT)
    file.path.unlink()
    assert reason(file) == "UNREADABLE"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_unreadable(land: Land) -> None:
    file = land("a.csv", TEXT)
    file.path.chmod(0)
    assert reason(file) == "UNREADABLE"


def test_a_link_to_a_file_is_refused_and_never_opened(
    land: Land, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(TEXT)
    (tmp_path / "customers").mkdir()
    (tmp_path / "customers" / "a.csv").symlink_to(secret)
    [file] = list_landing(tmp_path, "customers")
    monkeypatch.setattr(os, "open", _never)
    assert reason(file) == "NOT_A_REGULAR_FILE"


def test_a_link_that_takes_a_files_place_after_the_look_is_not_followed(
    land: Land, tmp_path: Path
) -> None:
    file = land("a.csv", TEXT)
    secret = tmp_path / "secret"
    secret.write_bytes(TEXT)
    file.path.unlink()
    file.path.symlink_to(secret)
    assert reason(file) == "UNREADABLE"


def test_a_pipe_is_refused_and_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "customers").mkdir()
    os.mkfifo(tmp_path / "customers" / "a.csv")
    [file] = list_landing(tmp_path, "customers")
    monkeypatch.setattr(os, "open", _never)
    assert reason(file) == "NOT_A_REGULAR_FILE"


def test_a_pipe_that_takes_a_files_place_after_the_look_is_not_waited_for(land: Land) -> None:
    file = land("a.csv", TEXT)
    file.path.unlink()
    os.mkfifo(file.path)
    # Should the reader wait after all, a writer that comes and goes sets it free.
    rescue = Timer(2, lambda: os.close(os.open(file.path, os.O_WRONLY)))
    rescue.daemon = True
    rescue.start()
    before = time.monotonic()
    assert reason(file) == "NOT_A_REGULAR_FILE"
    assert time.monotonic() - before < 1
    rescue.cancel()


def _never(*arguments: object) -> int:
    raise AssertionError(f"opened: {arguments}")
