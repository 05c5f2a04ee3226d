"""The key of the addresses' hashes: a file in the data folder, made once.

It is not in the lake. Who has the lake alone cannot try out addresses until a hash is met.
"""

import os
import secrets
from pathlib import Path

from bridge_cart_assets.lake.fsync import fsync_path

_BYTES = 32


class HashKeyError(RuntimeError):
    """The key cannot be used; the message says why and what to do."""


def hash_key_in(path: Path | None) -> bytes | None:
    """The key in a file; it is made when there is none. None for no file.

    Raises:
        HashKeyError: the file has no key, or cannot be read or written.
    """
    if path is None:
        return None
    try:
        if not path.exists():
            _make(path)
        text = path.read_text().strip()
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    except OSError as error:
        raise HashKeyError(
            f"{path}, the key of the addresses' hashes, cannot be used: {error.strerror}"
        ) from error
    if len(key) != _BYTES:
        raise HashKeyError(
            f"{path} has no key of {_BYTES} bytes: put back the one that was there, or "
            "remove the file and rebuild"
        )
    return key


def existing_key_in(path: Path) -> bytes | None:
    """The key in a file; None when there is none yet.

    Raises:
        HashKeyError: the file has no key, or cannot be read.
    """
    return hash_key_in(path) if path.exists() else None


def _make(path: Path) -> None:
    """Write a new key beside, and link it into place: of two runs the first one's counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(f"{secrets.token_hex(_BYTES)}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(beside, path)
    except FileExistsError:
        pass  # another run was faster
    finally:
        beside.unlink()
    fsync_path(path.parent)
