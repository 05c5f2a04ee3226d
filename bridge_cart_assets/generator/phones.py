"""Mobile numbers that belong to no one, as people write them down.

Belongs here: numbers and the ways of writing them. Does not belong here: reading them back, which
is the cleaning's work.
"""

import re
from typing import NamedTuple

import polars as pl

from bridge_cart_assets.generator.markets import MARKETS
from bridge_cart_assets.generator.rng import Flags, Floats, Ints


class Phones(NamedTuple):
    """Mobile numbers, one per person, in three ways.

    Attributes:
        written: in the national or the international way of the person's country.
        otherwise: in the other one of the two.
        e164: as a plus and digits only.
    """

    written: pl.Series
    otherwise: pl.Series
    e164: pl.Series


def write(country: Ints, number: Floats, international: Flags) -> Phones:
    """Write every person's mobile number.

    Args:
        country: index into `MARKETS`, one per person.
        number: the place among the country's numbers (0 to 1).
        international: whether it is written in the international way.
    """
    people = pl.DataFrame({"country": country, "number": number, "international": international})
    parts = []
    for code, market in enumerate(MARKETS):
        digits = _digits(market.mobile_prefixes, market.mobile_digits)
        national, abroad = _fill(market.national), _fill(market.international)
        parts.append(
            people.with_row_index("person")
            .filter(pl.col("country") == code)
            .select("person", "international", digits=digits)
            .select(
                "person",
                written=pl.when("international").then(abroad).otherwise(national),
                otherwise=pl.when("international").then(national).otherwise(abroad),
                e164=pl.lit(f"+{market.calling_code}") + pl.col("digits"),
            )
        )
    phones = pl.concat(parts).sort("person")
    return Phones(phones["written"], phones["otherwise"], phones["e164"])


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
