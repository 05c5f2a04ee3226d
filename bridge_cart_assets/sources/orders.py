"""Records that hold an order, or a part of one -> order lines.

Belongs here: what sources with nested orders, or with rows that belong together, have in common:
one Python function from an order's records to its lines, and spreading a discount over lines. Does
not belong here: the columns of one source.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any

import polars as pl

from bridge_cart_assets.sources.source import PROVENANCE, PURCHASE_COLUMNS
from bridge_cart_assets.transforms.amounts import read_numbers
from bridge_cart_assets.transforms.parsing import present

Record = Mapping[str, str | None]
_CENT = Decimal("0.01")
_LIMIT = Decimal(10) ** 16
_PLAIN_DECIMAL = re.compile(r"[+-]?[0-9]{1,16}(\.[0-9]{1,16})?")
_FILE = pl.col("_fingerprint")
_ORDER, _ROW = "\0order", "\0row"


@dataclass(frozen=True)
class Line:
    """One order line.

    Attributes:
        values: columns of `PURCHASE_COLUMNS` as text; those that are not there are null.
        record: which of the order's records it is from, from 0.
    """

    values: Mapping[str, str | None] = field(default_factory=dict)
    record: int = 0


@dataclass(frozen=True)
class EmptyOrder:
    """An order that came without a line. It replaces former deliveries of the order all the same.

    Attributes:
        order_id: the order.
        updated_at: when it was last changed, where the record says so.
        record: which of the order's records says it, from 0.
    """

    order_id: str | None
    updated_at: str | None = None
    record: int = 0

    @property
    def values(self) -> Mapping[str, str | None]:
        """The columns of `PURCHASE_COLUMNS` that it has."""
        return {"order_id": self.order_id, "updated_at": self.updated_at}


def lines_of_orders(
    raw: pl.LazyFrame,
    columns: Iterable[str],
    make_lines: Callable[[Sequence[Record]], Iterable[Line | EmptyOrder]],
    order: str | None = None,
    numbers: Sequence[str] = (),
) -> pl.LazyFrame:
    """Make order lines of records.

    Args:
        raw: raw records.
        columns: the source's columns that `make_lines` reads. Texts without a value are null.
        make_lines: gets the records of one order in file order. Of an order without a line it
            returns an `EmptyOrder`; when it returns nothing, the order's former lines stay.
        order: the column that names the order; its records in one file belong together. None when
            each record is a whole order.
        numbers: those of the columns that hold numbers. `make_lines` gets each as a plain decimal,
            read as its column of the file is, or as it stands when it cannot be read.

    Returns:
        The contract's purchase columns and the provenance; `_item` numbers a record's lines,
        `_guessed` names purchase_amount where nothing in the file decided about a number, and
        `_is_empty` says that an order has no line.
    """
    names = list(columns)
    schema = {
        **dict.fromkeys(PURCHASE_COLUMNS, pl.String()),
        **{name: raw.collect_schema()[name] for name in PROVENANCE if name != "_item"},
        "_item": pl.Int64(),
        "_guessed": pl.String(),
        "_is_empty": pl.Boolean(),
    }

    def build(records: pl.DataFrame) -> pl.DataFrame:
        is_guess = pl.any_horizontal(pl.lit(False), *(_guess(name) for name in numbers))
        rows = records.with_columns(
            (read_numbers if name in numbers else _present)(pl.col(name), _FILE).alias(name)
            for name in names
        ).with_columns(
            _guessed=pl.when(is_guess).then(pl.lit("purchase_amount")),
            **{name: _plain(name, records[name]) for name in numbers},
        )
        # An order without a name is one record.
        alone = pl.concat_str(pl.lit("\0"), pl.int_range(pl.len()).cast(pl.String))
        key = pl.coalesce(pl.col(order), alone) if order else alone
        named = rows.with_columns(key.alias(_ORDER)).with_row_index(_ROW)
        ordered = named.sort("_fingerprint", _ORDER, "_pos", maintain_order=True)
        made: list[Line | EmptyOrder] = []
        at: list[int] = []
        places = ordered.select("_fingerprint", _ORDER, _ROW).iter_rows()
        texts = ordered.select(names).iter_rows(named=True)
        for _, pairs in groupby(zip(places, texts, strict=True), key=lambda pair: pair[0][:2]):
            of_order = list(pairs)
            lines = list(make_lines([record for _, record in of_order]))
            made += lines
            at += [of_order[line.record][0][2] for line in lines]
        values = {
            name: pl.Series([line.values.get(name) for line in made], dtype=pl.String)
            for name in PURCHASE_COLUMNS
        }
        is_empty = pl.Series("_is_empty", [isinstance(one, EmptyOrder) for one in made], pl.Boolean)
        provenance = rows.select(*(n for n in PROVENANCE if n != "_item"), "_guessed")[at]
        return (
            pl.concat([pl.DataFrame(values), provenance], how="horizontal")
            .with_columns(is_empty)
            .with_columns(_item=pl.int_range(1, pl.len() + 1).over("_fingerprint", "_pos"))
            .select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        )

    return raw.map_batches(build, schema=schema, projection_pushdown=False)


def nested(text: str | None) -> Any:
    """A JSON object or array within a record; None when it is neither."""
    try:
        found = json.loads(text or "null", parse_float=str, parse_int=str)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


def objects(text: str | None) -> list[dict[str, Any]]:
    """The objects of a JSON array within a record."""
    found = nested(text)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def has_no_items(text: str | None) -> bool:
    """Whether a record holds an empty array: what is not there, or is no array, says nothing."""
    found: object = nested(text)
    return found == []


def _present(text: pl.Expr, _: pl.Expr) -> pl.Expr:
    return present(text)


def _guess(name: str) -> pl.Expr:
    return pl.col(name).struct.field("guessed").fill_null(False)


def _plain(name: str, received: pl.Series) -> pl.Expr:
    value = pl.col(name).struct.field("value").cast(pl.String).str.replace(r"\.?0+$", "")
    return pl.coalesce(value, present(pl.lit(received)))


def text_of(value: object) -> str | None:
    """A value of a nested record as text."""
    return None if value is None else f"{value}"


def amount(value: object) -> Decimal | None:
    """A plain decimal, as programs write it; None when it is none."""
    text = f"{value}"
    return Decimal(text) if _PLAIN_DECIMAL.fullmatch(text) else None


def unreadable_amount(*values: object) -> str | None:
    """The first value that is there and is no plain decimal; None when there is none."""
    return next((f"{one}" for one in values if one is not None and amount(one) is None), None)


def product(quantity: object, price: object) -> tuple[str | None, Decimal | None]:
    """Quantity times price in cents, as text and as a number.

    The text names both when one is unreadable, or when there is no such amount of money.
    """
    pieces, each = amount(quantity), amount(price)
    if pieces is None or each is None or abs(pieces * each) >= _LIMIT:
        return (None if price is None else f"{quantity} x {price}"), None
    found = (pieces * each).quantize(_CENT, rounding=ROUND_HALF_UP)
    return f"{found}", found


def spread_discount(total: Decimal, amounts: Sequence[Decimal]) -> list[Decimal]:
    """A discount of an order on its lines, to the cent.

    Args:
        total: what is spread, not more than the sum of the amounts.
        amounts: the lines' amounts in cents, none below zero.

    Returns:
        The share of each line by its amount, rounded down to cents. The rest of a cent is on the
        largest line, and on the next largest where a line has no room.
    """
    whole = sum(amounts)
    if not whole:
        return [Decimal(0) for _ in amounts]
    shares = [(total * one / whole).quantize(_CENT, rounding=ROUND_DOWN) for one in amounts]
    rest = total - sum(shares)
    for at in sorted(range(len(amounts)), key=lambda i: -amounts[i]):
        more = min(rest, amounts[at] - shares[at])
        shares[at] += more
        rest -= more
    return shares


def discounts(
    amounts: Sequence[Decimal | None],
    own: Sequence[Decimal],
    net: Decimal | None,
    of_order: Decimal,
) -> list[Decimal]:
    """The discount of each line, so that the lines' net amounts add up to the order's.

    Args:
        amounts: the lines' amounts before any discount; None where one cannot be read.
        own: what is known of each line's own discount.
        net: the sum of the net amounts that the order itself states.
        of_order: the discount that the order states, for orders that state no such sum.
    """
    known = [max(one or Decimal(0), Decimal(0)) for one in amounts]
    whole = sum(known, Decimal(0))
    total = max(of_order, sum(own, Decimal(0)))
    if net is not None and None not in amounts and 0 <= whole - net <= whole:
        total = whole - net
    if total > whole:
        # More than there is: the largest line has it all, and is refused.
        return [total if at == known.index(max(known)) else Decimal(0) for at in range(len(known))]
    if total < sum(own):
        own = [Decimal(0) for _ in own]
    left = [max(one - mine, Decimal(0)) for one, mine in zip(known, own, strict=True)]
    more = spread_discount(min(total - sum(own), sum(left, Decimal(0))), left)
    return [mine + share for mine, share in zip(own, more, strict=True)]
