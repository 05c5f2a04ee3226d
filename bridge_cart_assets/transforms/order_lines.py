"""Lines of one order in one file: their numbers, and what only the order's first line says.

Belongs here: what a line takes from the other lines of its order. Does not belong here: what a
value means (`cleaning`), or which of several records of one line stands (`folding`).

An export numbers no lines, or repeats an order's own fields on its first line only. Both are
completed from that file alone, so the result does not depend on the order in which files arrive.
A message is a record by itself: nothing is taken from other messages.
"""

from collections.abc import Sequence

import polars as pl

from bridge_cart_assets.tables.raw import is_of_file
from bridge_cart_assets.transforms import parsing
from bridge_cart_assets.transforms.amounts import read_wholes
from bridge_cart_assets.transforms.ids import tidy_id

# What an order says once for all of its lines.
ORDER_FIELDS = (
    "customer_id",
    "email",
    "purchase_date",
    "status",
    "payment_method",
    "coupon_used",
    "currency",
)
_ORDER = ["_fingerprint", "_order"]


def complete_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """Number the lines that have no number, then fill the blanks of their orders.

    Args:
        lines: the contract's purchase columns as strings, the provenance columns, and `_rescued`
            where the source has it.

    Returns:
        The lines, in their order, with `line_number` filled. `_status_filled` says whether the
        status is that of the order's other lines. `_guessed` names what was guessed so far: what
        the source did, and a status that is blank while those of the order's other lines differ.

    Distinct lines without a number are numbered 1, 2, … in file order, passing over numbers that
    other lines of the order have. Exact repetitions get one number. A blank of `ORDER_FIELDS`
    takes the value of the order's other lines when those that have one agree.

    >>> lines = pl.DataFrame(
    ...     {
    ...         "order_id": ["O1", "O1", "O1"],
    ...         "line_number": [None, "1", None],
    ...         "customer_id": ["C1", None, None],
    ...         "_fingerprint": "0" * 64,
    ...         "_pos": [1, 2, 3],
    ...     },
    ...     schema_overrides={"line_number": pl.String},
    ... ).with_columns(pl.lit(None, pl.String).alias(n) for n in ORDER_FIELDS[1:])
    >>> complete_lines(lines).select("customer_id", "line_number").rows()
    [('C1', '2'), ('C1', '1'), ('C1', '3')]
    """
    order = pl.when(is_of_file(pl.col("_fingerprint"))).then(tidy_id(pl.col("order_id")))
    if "_guessed" not in lines.columns:
        lines = lines.with_columns(_guessed=pl.lit(None, pl.String))
    named = lines.with_columns(_order=order).with_row_index("_row")
    return _filled(_numbered(named)).drop("_order", "_row")


def split_empty_orders(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Tell lines from orders that came without one.

    Args:
        lines: the contract's purchase columns as strings; `_is_empty` marks such an order.

    Returns:
        The lines; and the orders, with an amount of zero on their batch day, since a row of
        `silver/purchase_repeats` has both.

    >>> day = {"_batch_day": "2024-01-31", "purchase_amount": None, "purchase_date": None}
    >>> orders = [{"order_id": "O1", "_is_empty": False}, {"order_id": "O2", "_is_empty": True}]
    >>> lines, empty = split_empty_orders(pl.DataFrame([one | day for one in orders]))
    >>> lines["order_id"].to_list(), empty["order_id"].to_list()
    (['O1'], ['O2'])
    """
    if "_is_empty" not in lines.columns:
        return lines, lines.clear()
    is_empty = pl.col("_is_empty")
    day = pl.col("_batch_day").cast(pl.String)
    empty = lines.filter(is_empty).with_columns(purchase_date=day, purchase_amount=pl.lit("0"))
    return lines.filter(~is_empty), empty


def rank_distinct_lines(
    lines: pl.LazyFrame, order: Sequence[str], content: pl.Expr
) -> pl.LazyFrame:
    """Add `_rank`: the rank of a line among the distinct lines of its order, by first position.

    Args:
        lines: with `_pos`, the position in the file.
        order: the columns that name an order of a file.
        content: equal for exact repetitions of a line, and for nothing else.

    >>> lines = pl.LazyFrame({"o": ["O1", "O1", "O1"], "c": [7, 7, 8], "_pos": [1, 2, 3]})
    >>> rank_distinct_lines(lines, ["o"], pl.col("c")).collect()["_rank"].to_list()
    [1, 1, 2]
    """
    # One window at a time: of two, the inner one is computed for each group of the outer one.
    first = pl.col("_pos").min().over([*order, "_content"])
    return (
        lines.with_columns(_content=content)
        .with_columns(_first=first)
        .with_columns(_rank=pl.col("_first").rank("dense").over(order))
        .drop("_content", "_first")
    )


def _numbered(lines: pl.DataFrame) -> pl.DataFrame:
    number = parsing.present(pl.col("line_number"))
    todo = lines.filter(number.is_null() & pl.col("_order").is_not_null())
    if todo.is_empty():
        return lines
    # A repetition differs from its original in its place only; both lack a number.
    place = {"_row", "_pos", "_object", "_source", "_batch_day", "_item", "line_number"}
    content = pl.struct(n for n in todo.columns if n not in place).hash()
    ranked = (
        rank_distinct_lines(todo.lazy(), _ORDER, content).select("_row", *_ORDER, "_rank").collect()
    )
    given = (
        lines.join(ranked, on=_ORDER, how="semi")
        .select(*_ORDER, _given=read_wholes(pl.col("line_number")))
        .filter(pl.col("_given") >= 1)
        .unique()
    )
    if given.height:
        ranked = _passing_over(given, ranked)
    numbers = ranked.select("_row", _number=pl.col("_rank").cast(pl.String))
    return (
        lines.join(numbers, on="_row", how="left", maintain_order="left")
        .with_columns(line_number=pl.coalesce("_number", "line_number"))
        .drop("_number")
    )


def _passing_over(given: pl.DataFrame, ranked: pl.DataFrame) -> pl.DataFrame:
    """The ranks as numbers that no other line of the order has: the n-th free one."""
    most = (
        pl.concat([ranked.select(_ORDER), given.select(_ORDER)])
        .join(given, on=_ORDER, how="semi")
        .group_by(_ORDER)
        .len()
    )
    free = (
        most.with_columns(_given=pl.int_ranges(1, pl.col("len") + 1, dtype=pl.Int64))
        .explode("_given")
        .join(given, on=[*_ORDER, "_given"], how="anti")
        .with_columns(_rank=pl.col("_given").rank("dense").over(_ORDER))
        .select(*_ORDER, "_rank", "_given")
    )
    return (
        ranked.join(free, on=[*_ORDER, "_rank"], how="left")
        .with_columns(_rank=pl.coalesce("_given", "_rank"))
        .select("_row", *_ORDER, "_rank")
    )


def _filled(lines: pl.DataFrame) -> pl.DataFrame:
    lines = lines.with_columns(_status_filled=pl.lit(False))
    for name in ORDER_FIELDS:
        values = lines.select("_row", *_ORDER, value=parsing.present(pl.col(name)))
        if values["value"].null_count() in (0, values.height):
            continue
        blanks = values.filter(pl.col("value").is_null() & pl.col("_order").is_not_null())
        said = (
            values.drop_nulls("value")
            .join(blanks, on=_ORDER, how="semi")
            .with_columns(_meant=_meant(name))
            .group_by(_ORDER)
            .agg(pl.col("value").get(pl.col("_row").arg_min()), pl.col("_meant").n_unique())
        )
        agreed = said.filter(pl.col("_meant") == 1).drop("_meant")
        if name == "status":
            # The default takes such a line for a sale, which the order's other lines leave open.
            disputed = blanks.join(said.filter(pl.col("_meant") > 1), on=_ORDER, how="semi")
            is_guess = pl.col("_row").is_in(disputed["_row"].implode())
            before = pl.col("_guessed")
            lines = lines.with_columns(
                _guessed=pl.when(is_guess)
                .then(pl.concat_str(before, pl.lit("status"), separator=",", ignore_nulls=True))
                .otherwise(before)
            )
        if agreed.is_empty():
            continue
        found = blanks.drop("value").join(agreed, on=_ORDER, how="inner").drop(_ORDER)
        lines = lines.join(found, on="_row", how="left", maintain_order="left")
        if name == "status":
            lines = lines.with_columns(_status_filled=pl.col("value").is_not_null())
        lines = lines.with_columns(pl.coalesce("value", name).alias(name)).drop("value")
    return lines


def _meant(name: str) -> pl.Expr:
    """What is equal for two spellings of one value: `55` and `55.0`, `eur` and `EUR`."""
    value = pl.col("value")
    return tidy_id(value) if name == "customer_id" else value.str.to_lowercase()
