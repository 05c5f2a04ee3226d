"""The fixture of a release: a small lake and Dagster's state, as that release's command left them.

    python -m bridge_cart_tests.releases.make NAME CHECKOUT [PATH …]

NAME.tar.gz is written beside this file. CHECKOUT has the code of the release; further folders come
before this environment's packages. README.md says which commits the fixtures are of.
"""

import gzip
import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).parent
LANDING = HERE / "landing"
# What a later command makes again, or never reads.
_LEFT_OUT = ("bridge_cart.duckdb", ".erasing.lock", ".nux", ".telemetry", "storage")


def deliver(delivery: Path, data: Path) -> None:
    """Land the files of one delivery."""
    shutil.copytree(delivery, data / "landing", dirs_exist_ok=True)


def deliveries() -> list[Path]:
    """The deliveries of the shop, in their order."""
    return sorted(LANDING.iterdir())


def make(name: str, checkout: Path, *packages: str) -> Path:
    """Land one delivery after the other, run the release's command on each, and pack the data."""
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        data = Path(folder) / "data"
        environment = {
            **{n: v for n, v in os.environ.items() if n != "DAGSTER_HOME"},
            "BRIDGE_CART_DATA": str(data),
            "PYTHONPATH": os.pathsep.join([str(checkout), *packages]),
        }
        for delivery in deliveries():
            deliver(delivery, data)
            subprocess.run(
                [sys.executable, "-m", "bridge_cart_assets", "run"],
                env=environment,
                cwd=folder,
                check=True,
            )
        shutil.rmtree(data / "landing")
        for file in (data / "dagster").rglob("*.db"):
            with closing(sqlite3.connect(file)) as database:
                database.execute("PRAGMA journal_mode=DELETE")
                database.execute("VACUUM")
        packed = HERE / f"{name}.tar.gz"
        packed.write_bytes(pack(data))
    return packed


def pack(data: Path) -> bytes:
    """A folder as a compressed archive, without times and owners."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path in sorted(data.rglob("*")):
            within = path.relative_to(data)
            if path.is_file() and not any(part in _LEFT_OUT for part in within.parts):
                entry = tarfile.TarInfo(str(within))
                entry.size = path.stat().st_size
                with path.open("rb") as content:
                    archive.addfile(entry, content)
    return gzip.compress(plain.getvalue(), compresslevel=9, mtime=0)


def unpack(name: str, data: Path) -> None:
    """The data folder of a release, with the files that it had taken in its landing zone."""
    data.mkdir(parents=True)
    with tarfile.open(HERE / f"{name}.tar.gz") as archive:
        archive.extractall(data, filter="data")
    for delivery in deliveries():
        deliver(delivery, data)


if __name__ == "__main__":
    print(make(sys.argv[1], Path(sys.argv[2]).resolve(), *sys.argv[3:]))
