"""Mobile numbers that could exist, as people write them down.

Belongs here: drawing numbers and writing them. Does not belong here: reading them back, which is
the cleaning's work.
"""

import re
from typing import NamedTuple

import numpy as np
import polars as pl

from bridge_cart_assets.generator.chance import Ints
from bridge_cart_assets.generator.markets import MARKETS

INTERNATIONAL_SHARE = 0.5


class Phones(NamedTuple):
    """Mobile numbers, one per person, twice.

    Attributes:
        written: in the national or the international way of the person's country.
        e164: as a plus and digits only.
    """

    written: pl.Series
    e164: pl.Series


def draw(rng: np.random.Generator, country: Ints) -> Phones:
    """A mobile number for every person.

    Args:
        rng: source of chance.
        country: index into `MARKETS`, one per person.
    """
    number = rng.random(country.size)
    international = rng.random(country.size) < INTERNATIONAL_SHARE
    people = pl.DataFrame({"country": country, "number": number, "international": international})
    parts = []
    for code, market in enumerate(MARKETS):
        digits = _digits(market.mobile_prefixes, market.mobile_digits)
        written = pl.when("international").then(_fill(market.international))
        parts.append(
            people.with_row_index("person")
            .filter(pl.col("country") == code)
            .select("person", "international", digits=digits)
            .select(
                "person",
                written=written.otherwise(_fill(market.national)),
                e164=pl.lit(f"+{market.calling_code}") + pl.col("digits"),
            )
        )
    phones = pl.concat(parts).sort("person")
    return Phones(phones["written"], phones["e164"])


def _digits(prefixes: tuple[str, ...], length: int) -> pl.Expr:
    """The column `number` (0 <= number < 1) as a prefix and the digits that are left to fill."""
    free = length - len(prefixes[0])
    among = (pl.col("number") * len(prefixes) * 10**free).cast(pl.Int64)
    rest = (among % 10**free).cast(pl.String).str.zfill(free)
    prefix = (among // 10**free).replace_strict(
        list(range(len(prefixes))), list(prefixes), return_dtype=pl.String
    )
    digits: pl.Expr = prefix + rest
    return digits


def _fill(template: str) -> pl.Expr:
    """The template with the column `digits` in place of its # signs, from left to right."""
    pieces, taken = [], 0
    for piece in re.findall(r"#+|[^#]+", template):
        if piece.startswith("#"):
            pieces.append(pl.col("digits").str.slice(taken, len(piece)))
            taken += len(piece)
        else:
            pieces.append(pl.lit(piece))
    return pl.concat_str(pieces)
