"""A shop whose lake, and whose landing zone if asked for, lie in the test's bucket.

Belongs here: putting files there, running the command over them, comparing with a local lake. Does
not belong here: the servers (`servers`).
"""

import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import generate
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import ObjectStore, object_store
from bridge_cart_assets.settings import Settings, SilverSettings
from bridge_cart_assets.sources import SOURCES
from bridge_cart_tests.stores.servers import SECRET, Server

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def shop(days: int) -> Shop:
    return Shop(customers=60, newcomers=2, days=days, dirt=0.25)


@dataclass(frozen=True)
class StoredShop:
    """A data folder, and the bucket that its lake lies in.

    Attributes:
        data: the folder.
        bucket: name of the bucket.
        server: that has it.
        is_landed_there: whether files land in the bucket too.
        endpoint: of a proxy before the server, if there is one.
    """

    data: Path
    bucket: str
    server: Server
    is_landed_there: bool = False
    endpoint: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        landing = {"BRIDGE_CART_LANDING": self.landing_uri} if self.is_landed_there else {}
        return {
            "BRIDGE_CART_DATA": str(self.data),
            "BRIDGE_CART_LAKE": f"s3://{self.bucket}/the/lake",
            **landing,
            **self.server.environment(self.endpoint),
        }

    @property
    def landing_uri(self) -> str:
        return f"s3://{self.bucket}/landed"

    @property
    def options(self) -> Mapping[str, str]:
        return self.server.environment(self.endpoint)

    @property
    def lake(self) -> Lake:
        return Lake(f"s3://{self.bucket}/the/lake", self.options)

    @property
    def landing(self) -> Path | ObjectStore:
        if self.is_landed_there:
            return object_store(self.landing_uri, self.options)
        return self.data / "landing"

    @property
    def silver(self) -> SilverSettings:
        return Settings(data=self.data).silver

    def land(self, days: int) -> None:
        """The shop's days land, up to this one."""
        generate(shop(days), self.data)
        if isinstance(landing := self.landing, ObjectStore):
            for file in (self.data / "landing").rglob("*.csv"):
                path = file.relative_to(self.data / "landing").as_posix()
                landing.write(path, file.read_bytes())

    def without_doubles(self) -> list[str]:
        """Raw tables in which a record stands twice."""
        return [
            source.raw.path
            for source in SOURCES
            if self.lake.snapshot(source.raw)
            .scan()
            .select("_fingerprint", "_pos")
            .collect()
            .is_duplicated()
            .any()
        ]


def where_the_secret_stands(folder: Path, said: Iterable[str] = ()) -> list[str]:
    """The files below a folder, and what was said, in which the secret can be read."""
    found = [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    return found + [text for text in said if SECRET in text]


def visible_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows without what tells when they were written."""
    return frame.drop("_ingested_at", "_batch_id", "quarantined_at", strict=False)
