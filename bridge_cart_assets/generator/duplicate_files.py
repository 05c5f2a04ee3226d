"""Whole files that come twice: under a second name, or again some days later in other bytes.

Belongs here: which files, when, and what the manifest says of them. Does not belong here: records
that are copied (`defect_injection`) or late (`deliveries`).
"""

from dataclasses import dataclass

import polars as pl

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.defect_injection import MANIFEST
from bridge_cart_assets.generator.defects import REDELIVERED, RENAMED
from bridge_cart_assets.generator.landing import SOURCES, sent_again, suffix
from bridge_cart_assets.generator.rng import Stream, stream

# A file that is sent again is so within these days.
AGAIN_WITHIN = 10


@dataclass(frozen=True)
class File:
    """A file for the landing zone.

    Attributes:
        source: folder.
        name: its name there, without the ending that its format gives it.
        content: its bytes, before any compression.
    """

    source: str
    name: str
    content: bytes


@dataclass(frozen=True)
class Repeat:
    """A file that is there a second time.

    Attributes:
        day: when it lands, since the start.
        file: the file.
        manifest: what is wrong with it.
    """

    day: int
    file: File
    manifest: pl.DataFrame


def repeats(
    source: str, shop: Shop, day: int, content: bytes, manifest: pl.DataFrame
) -> list[Repeat]:
    """The file of a day under a second name, and the one in which its records come again.

    Args:
        source: whose file it is.
        shop: the shop.
        day: the file's day.
        content: its bytes.
        manifest: what is wrong with the source's records, with `_day` of their file.
    """
    chance = stream(shop.seed, Stream.FILES, day).random((len(SOURCES), 3))
    is_renamed, is_repeated, delay = chance[SOURCES.index(source)].tolist()
    original, ending = f"{source}/{shop.day(day)}", suffix(shop.form, gz=shop.gz)

    def file_row(kind: str, name: str, expected: str, settled: int) -> pl.DataFrame:
        manifest_row = (f"{source}/{name}.{ending}", None, None, kind, f"{original}.{ending}")
        row = (*manifest_row, f"{source}/{name}.{ending}", expected, shop.day(settled))
        return pl.DataFrame([row], schema=MANIFEST, orient="row")

    found = []
    if is_renamed < shop.rate_of_files(RENAMED):
        # Behind the original by name, so that it is this one that is read second.
        file = File(source, f"{shop.day(day)}.twice", content)
        found.append(Repeat(day, file, file_row(RENAMED, file.name, "repeated", day)))
    if is_repeated < shop.rate_of_files(REDELIVERED):
        later = day + 1 + int(delay * AGAIN_WITHIN)
        file = File(
            source, f"{shop.day(later)}.again-{shop.day(day)}", sent_again(content, shop.form)
        )
        copies = manifest.filter(pl.col("_day") == day).with_columns(
            file=pl.lit(f"{source}/{file.name}.{ending}"),
            # What was refused is refused again; all else has been seen before.
            expected=pl.when(pl.col("expected").str.contains("^[A-Z_]+$|^superseded$"))
            .then("expected")
            .otherwise(pl.lit("duplicate")),
            settled_on=pl.max_horizontal("settled_on", pl.lit(shop.day(later))),
        )
        manifest_row = file_row(REDELIVERED, file.name, "duplicate", later)
        found.append(Repeat(later, file, pl.concat([manifest_row, copies.select(*MANIFEST)])))
    return found
