"""The key of the addresses' hashes: a file in the data folder, made once.

It is not in the lake. Who has the lake alone cannot try out addresses until a hash is met.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from bridge_cart_assets.lake.fsync import fsync_path

_BYTES = 32


class HashKeyError(RuntimeError):
    """The file of the key cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class HashKeyFile:
    """Where the key lies."""

    path: Path

    def read(self) -> bytes:
        """The key; it is made when there is none.

        Raises:
            HashKeyError: the file has no key, or cannot be read or written.
        """
        try:
            if not self.path.exists():
                self._make()
            text = self.path.read_text().strip()
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        except OSError as error:
            raise HashKeyError(
                f"{self.path}, the key of the addresses' hashes, cannot be used: {error.strerror}"
            ) from error
        if len(key) != _BYTES:
            raise HashKeyError(
                f"{self.path} has no key of {_BYTES} bytes: put back the one that was there, or "
                "remove the file and rebuild"
            )
        return key

    def _make(self) -> None:
        """Write a new key beside, and link it into place: of two runs the first one's counts."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(f"{secrets.token_hex(_BYTES)}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, self.path)
        except FileExistsError:
            pass  # another run was faster
        finally:
            beside.unlink()
        fsync_path(self.path.parent)
