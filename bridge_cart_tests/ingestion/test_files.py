"""Bytes of landed files: unpacked whole, or refused with the reason."""

import gzip
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from bridge_cart_assets.ingestion import files
from bridge_cart_assets.ingestion.files import FileRefusedError, open_file, read_file
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
    with pytest.raises(FileRefusedError) as refusal:
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


@pytest.mark.parametrize("name", ["a.csv.gz", "a.xls", "a", "a.gz", "a.parquet.gz", "a.xlsx.gz"])
def test_what_is_no_known_kind_of_file_is_unreadable(land: Land, name: str) -> None:
    assert reason(land(name, TEXT)) == "UNREADABLE"


def test_what_unpacks_to_more_than_200_times_its_size_is_too_large(
    land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = b"1,a\n" * 500_000
    monkeypatch.setattr(files, "HARMLESS_BYTES", len(bomb) - 1)
    with pytest.raises(FileRefusedError, match="200 times its") as refusal:
        read_file(land("a.csv.gz", gzip.compress(bomb)))
    assert refusal.value.reason == "TOO_LARGE"
    assert "land it unpacked" in str(refusal.value)
    # What is not much is harmless, whatever it was packed to; what is much packs less.
    monkeypatch.setattr(files, "HARMLESS_BYTES", len(bomb))
    assert read_file(land("a.csv.gz", gzip.compress(bomb))).data == bomb
    monkeypatch.setattr(files, "HARMLESS_BYTES", 0)
    records = b"".join(b"%d,a\n" % (n * 7919) for n in range(10_000))
    assert read_file(land("a.csv.gz", gzip.compress(records))).data == records


def test_a_bomb_is_not_unpacked_to_its_end(land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "HARMLESS_BYTES", 1_000_000)
    monkeypatch.setattr(files, "READ_BYTES", 100_000)
    unpacked: list[int] = []
    inflate = files.inflate

    def counted(stored: Iterator[bytes]) -> Iterator[bytes]:
        for piece in inflate(stored):
            unpacked.append(len(piece))
            yield piece

    monkeypatch.setattr(files, "inflate", counted)
    bomb = gzip.compress(b"\0" * 20_000_000)
    assert reason(land("a.csv.gz", bomb)) == "TOO_LARGE"
    assert max(unpacked) <= 100_000
    assert sum(unpacked) <= 200 * len(bomb) + 100_000


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_packed_file_is_unpacked_in_pieces_of_any_size(
    land: Land, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(files, "READ_BYTES", piece)
    monkeypatch.setattr(files, "READ_PACKED_BYTES", piece)
    two = gzip.compress(TEXT[:700]) + gzip.compress(b"") + gzip.compress(TEXT[700:])
    assert read_file(land("a.csv.gz", two)).data == TEXT
    assert reason(land("a.csv.gz", two[:-1])) == "TRUNCATED"


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("start", [0, 1, 699, len(TEXT) - 1, len(TEXT), len(TEXT) + 5])
def test_a_file_is_read_again_from_any_byte_on(
    land: Land, monkeypatch: pytest.MonkeyPatch, name: str, start: int
) -> None:
    monkeypatch.setattr(files, "READ_BYTES", 100)
    with open_file(land(name, PACKED if name.endswith("gz") else TEXT)) as opened:
        assert b"".join(opened.pieces(start)) == TEXT[start:]


def test_a_file_that_fails_while_it_is_read_is_unreadable(
    land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    assert reason(land("a.csv", TEXT)) == "UNREADABLE"


def test_a_machine_without_handles_says_nothing_about_the_file(
    land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = land("a.csv", TEXT)

    def none_left(*arguments: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", none_left)
    with pytest.raises(OSError, match="Too many open files"):
        reason(file)


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


@pytest.mark.parametrize("swapped", ["customers", "customers/week", "customers/week/day"])
def test_a_folder_that_became_a_link_is_not_followed(tmp_path: Path, swapped: str) -> None:
    """Swapped between the look and the opening, as a program may that writes to the folder."""
    landing = tmp_path / "landing"
    for root in (landing, tmp_path / "elsewhere"):
        folder = root / "customers" / "week" / "day"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("customer_id\n1\n")
    [file] = list_landing(landing, "customers")
    assert read_file(file).size
    (landing / swapped).rename(tmp_path / "away")
    (landing / swapped).symlink_to(tmp_path / "elsewhere" / swapped)
    with pytest.raises(FileRefusedError, match="leads over a link") as refusal:
        read_file(file)
    assert refusal.value.reason == "NOT_A_REGULAR_FILE"


def test_the_landing_zone_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real" / "customers").mkdir(parents=True)
    (tmp_path / "real" / "customers" / "a.csv").write_text("customer_id\n1\n")
    (tmp_path / "landing").symlink_to(tmp_path / "real")
    [file] = list_landing(tmp_path / "landing", "customers")
    assert read_file(file).size
