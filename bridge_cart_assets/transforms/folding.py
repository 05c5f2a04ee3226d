"""The current one of several records of one key, and the fate of the others.

Belongs here: the fold of accepted records into silver. It depends on the set of records only,
not on the order or batches in which they came: commutative, associative, idempotent. Does not
belong here: reading and writing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

WholeOrder = Literal["record", "file"]
ORDER_KEY = ("source", "order_id")
PURCHASE_KEY = ("source", "order_id", "line_number")
# Kind and fate of an order that came without a line.
EMPTY = "empty"
VERSION = ("version_at", "batch_day", "object", "pos", "fingerprint", "item")
RECORD = ("source", "fingerprint", "pos", "item")
# What names one delivery of a whole order.
_DELIVERY: Mapping[WholeOrder, tuple[str, ...]] = {
    "file": ("version_at", "batch_day", "object", "fingerprint"),
    "record": ("version_at", "batch_day", "object", "fingerprint", "pos"),
}
# Where a record came from is not what it says.
_NOT_CONTENT = ("source", "valid_from", "fate", "guessed", "received_customer_id", *VERSION)


@dataclass(frozen=True)
class Folded:
    """Current and superseded records.

    Attributes:
        current: the current records, one row per key (or version of a profile).
        superseded: the other records; `fate` says whether the content is the same (duplicate) or
            another (superseded), or that it is an order without a line (empty).
    """

    current: pl.DataFrame
    superseded: pl.DataFrame


def fold_purchases(records: pl.DataFrame, whole_order_in: WholeOrder | None = None) -> Folded:
    """Of each order line, the record with the highest version is current.

    Args:
        records: all accepted records of some lines, in any order. The same record may occur
            twice.
        whole_order_in: what holds all lines of an order: a record, or the rows of a file. Then the
            lines of its latest one stand, and a line that it lacks stands no more: none stands when
            the latest one is of kind `empty`, an order without a line. None when each line is
            corrected by itself.

    The version is (version_at, batch_day, object, position). A record with the content of the
    current one is a duplicate. Any other is superseded. An order without a line never stands; it is
    kept, with `empty` as its fate, for former deliveries that arrive after it.

    >>> from datetime import UTC, datetime
    >>> from bridge_cart_assets.tables.silver import PURCHASES
    >>> line = {"source": "purchases", "order_id": "O1", "line_number": 1}
    >>> records = [
    ...     {**line, "pos": 1, "version_at": datetime(2024, 1, 2, tzinfo=UTC), "net_amount": 12},
    ...     {**line, "pos": 2, "version_at": datetime(2024, 1, 1, tzinfo=UTC), "net_amount": 10},
    ...     {**line, "pos": 3, "version_at": datetime(2024, 1, 2, tzinfo=UTC), "net_amount": 12},
    ... ]
    >>> folded = fold_purchases(pl.DataFrame(records, schema=PURCHASES.dtypes))
    >>> folded.current["pos"].to_list()
    [3]
    >>> sorted(folded.superseded.select("pos", "fate").rows())
    [(1, 'duplicate'), (2, 'superseded')]
    """
    if whole_order_in is None:
        alone, records = _alone(records, PURCHASE_KEY)
    else:
        alone = records.clear()
    ordered = records.unique(RECORD, keep="first").sort(VERSION)
    last = pl.struct(PURCHASE_KEY).is_last_distinct()
    if whole_order_in is not None:
        delivery = pl.struct(_DELIVERY[whole_order_in])
        last &= delivery == delivery.last().over("source", "order_id")
        last &= pl.col("kind") != EMPTY
    current = ordered.filter(last)
    superseded = _with_fate(ordered.filter(~last), current, PURCHASE_KEY)
    if whole_order_in is not None:
        fate = pl.when(pl.col("kind") == EMPTY).then(pl.lit(EMPTY)).otherwise("fate")
        superseded = superseded.with_columns(fate=fate)
    return Folded(pl.concat([alone, current]), superseded)


def fold_customers(records: pl.DataFrame) -> Folded:
    """The profile history of each customer (SCD2).

    Args:
        records: all accepted profile records of some customers, in any order.

    Of several records from one moment, the one with the highest version is current. Of
    neighbours with equal content, the first is. The fold adds valid_to (start of the next version,
    null for the current one) and is_current.

    >>> from datetime import UTC, datetime
    >>> from bridge_cart_assets.tables.silver import CUSTOMERS
    >>> profile = {"customer_id": "C1", "city": "Bonn"}
    >>> records = [
    ...     {**profile, "pos": 1, "valid_from": datetime(2024, 1, 1, tzinfo=UTC)},
    ...     {**profile, "pos": 2, "valid_from": datetime(2024, 2, 1, tzinfo=UTC)},
    ...     {**profile, "pos": 3, "valid_from": datetime(2024, 3, 1, tzinfo=UTC), "city": "Kiel"},
    ... ]
    >>> folded = fold_customers(pl.DataFrame(records, schema=CUSTOMERS.dtypes))
    >>> folded.current.select("city", pl.col("valid_to").dt.strftime("%Y-%m-%d")).rows()
    [('Bonn', '2024-03-01'), ('Kiel', None)]
    >>> folded.superseded.select("pos", "fate").rows()
    [(2, 'duplicate')]
    """
    alone, records = _alone(records, ("customer_id",))
    ordered = records.unique(RECORD, keep="first").sort(VERSION)
    moment = ("customer_id", "valid_from")
    last = pl.struct(moment).is_last_distinct()
    latest = ordered.filter(last).sort("customer_id", "valid_from")
    content = content_columns(latest.columns)
    same = pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(name).shift(1)) for name in ("customer_id", *content)
    )
    marked = latest.with_columns(_same=same.fill_null(False))
    current = marked.filter(~pl.col("_same")).drop("_same")
    neighbours = marked.filter("_same").drop("_same").with_columns(fate=pl.lit("duplicate"))
    superseded = _with_fate(ordered.filter(~last), latest, moment)
    of_several = current.with_columns(valid_to=pl.col("valid_from").shift(-1).over("customer_id"))
    of_one = alone.with_columns(pl.lit(None, alone.schema["valid_from"]).alias("valid_to"))
    return Folded(
        pl.concat([of_one, of_several.select(of_one.columns)]).with_columns(
            is_current=pl.col("valid_to").is_null()
        ),
        pl.concat([superseded, neighbours.select(superseded.columns)]),
    )


def _alone(records: pl.DataFrame, key: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records whose key no other one has, which are current whatever they say, and the others.

    Most are alone, and neither sorted nor compared. Two keys may have one hash; such records are
    among the others.
    """
    is_repeated = records.select(pl.struct(key).hash()).to_series().is_duplicated()
    return records.filter(~is_repeated), records.filter(is_repeated)


def _with_fate(
    superseded: pl.DataFrame, current: pl.DataFrame, key: tuple[str, ...]
) -> pl.DataFrame:
    content = [name for name in content_columns(superseded.columns) if name not in key]
    beside = current.select(*key, *(pl.col(n).alias(f"_{n}") for n in content))
    equal = pl.all_horizontal(pl.col(n).eq_missing(pl.col(f"_{n}")) for n in content)
    return (
        superseded.join(beside, on=list(key), how="left")
        .with_columns(fate=pl.when(equal).then(pl.lit("duplicate")).otherwise(pl.lit("superseded")))
        .select(*superseded.columns, "fate")
    )


def content_columns(columns: Iterable[str]) -> list[str]:
    """The columns in which records differ: not those that say where it came from.

    >>> content_columns(["order_id", "net_amount", "batch_day", "pos", "guessed"])
    ['order_id', 'net_amount']
    """
    return [name for name in columns if name not in _NOT_CONTENT]
