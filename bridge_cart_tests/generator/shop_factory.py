"""A generated shop and its folder, and its landed records read by Python's own readers."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.shop import GeneratedDays, generate


@dataclass(frozen=True)
class Made:
    """A generated shop and its folder."""

    shop: Shop
    data: Path
    landed: GeneratedDays
    cached: dict[str, Callable[[int], dict[str, Any]]] = field(default_factory=dict)

    def truth(self, table: str) -> pl.DataFrame:
        return pl.read_parquet(self.data / "truth" / table)

    def files(self) -> list[str]:
        landing = self.data / "landing"
        return sorted(p.relative_to(landing).as_posix() for p in landing.rglob("*") if p.is_file())

    def lines(self, file: str) -> list[str]:
        """The lines of a text file behind the header, one a record; odd bytes as `\\xe9`."""
        lines = self._text(file).splitlines()
        return lines if ".ndjson" in file else lines[1:]

    def _text(self, file: str) -> str:
        content = (self.data / "landing" / file).read_bytes()
        if file.endswith(".gz"):
            content = gzip.decompress(content)
        return content.decode(errors="backslashreplace")

    def record(self, file: str, number: int) -> dict[str, Any]:
        """A record of a file, by its position from 1."""
        if file not in self.cached:
            self.cached[file] = self._records(file)
        return self.cached[file](number - 1)

    def _records(self, file: str) -> Callable[[int], dict[str, Any]]:
        if file.endswith(".parquet"):
            rows = pl.read_parquet(self.data / "landing" / file).rows(named=True)
            return lambda index: rows[index]
        lines = self.lines(file)
        if ".ndjson" in file:
            return lambda index: json.loads(lines[index], parse_float=str)
        header = self._text(file).splitlines()[0]
        return lambda index: _fields(header, lines[index])


def _fields(header: str, line: str) -> dict[str, Any]:
    record = next(csv.DictReader(io.StringIO(f"{header}\n{line}\n")))
    record.pop(None, None)  # fields that the header does not name
    return record


def make(shop: Shop, data: Path) -> Made:
    return Made(shop, data, generate(shop, data))
