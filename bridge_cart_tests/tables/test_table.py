"""What follows from a table's declaration, and which frames are refused."""

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from bridge_cart_assets.tables.table import SchemaMismatchError, Table
from bridge_cart_tests.lake.rows import BY_MONTH, VISITS, visits

ANNA = ("anna", "2024-01", 1)


def refusal(frame: pl.DataFrame, table: Table = VISITS) -> str:
    with pytest.raises(SchemaMismatchError) as refused:
        table.conform(frame)
    return str(refused.value)


def test_a_table_knows_its_layer_name_key_and_columns() -> None:
    assert (BY_MONTH.layer, BY_MONTH.name) == ("silver", "visits")
    assert BY_MONTH.key == ("visitor",)
    assert list(VISITS.columns) == ["visitor", "month", "visits", "spent", "score", "on", "name"]
    assert VISITS.not_null == ("visitor", "month", "visits")
    assert VISITS.pii == ("name",)
    assert VISITS.meaning("visits") == "How often"


def test_an_empty_frame_has_the_declared_types() -> None:
    assert dict(VISITS.empty().schema) == VISITS.dtypes
    assert VISITS.conform(VISITS.empty()).is_empty()


def test_a_frame_that_fits_comes_out_in_the_declared_order() -> None:
    shuffled = visits(ANNA).select(list(VISITS.columns)[::-1])
    assert VISITS.conform(shuffled).columns == list(VISITS.columns)


def test_every_difference_is_named_at_once() -> None:
    frame = visits(ANNA).drop("score").with_columns(shoes=pl.lit(1), visits=pl.lit(1.0))
    assert refusal(frame) == (
        "frame does not fit gold/visits: score is missing; shoes is unknown;"
        " visits is Float64, declared Int64"
    )


@pytest.mark.parametrize(
    ("column", "value", "dtype"),
    [
        ("visits", 1.0, pl.Float64),
        ("visits", "1", pl.String),
        ("visits", True, pl.Boolean),
        ("visits", 1, pl.UInt64),
        ("score", 1, pl.Int64),
        ("score", Decimal("0.5"), pl.Decimal(18, 2)),
        ("spent", 1.5, pl.Float64),
        ("spent", 1, pl.Int64),
        ("spent", Decimal("0.5"), pl.Decimal(19, 2)),
        ("spent", Decimal("0.5"), pl.Decimal(18, 3)),
        ("on", "2024-01-01", pl.String),
        ("on", datetime(2024, 1, 1, tzinfo=UTC), pl.Datetime("us", "UTC")),
        ("visitor", 1, pl.Int64),
        ("name", b"x", pl.Binary),
    ],
)
def test_a_cast_that_could_change_a_value_is_refused(
    column: str, value: object, dtype: pl.DataType
) -> None:
    frame = visits(ANNA).with_columns(pl.lit(value, dtype=dtype).alias(column))
    assert f"{column} is " in refusal(frame)


def test_a_null_where_there_must_be_a_value_is_refused_with_how_many() -> None:
    frame = pl.concat([visits(ANNA, ANNA, visits=None), visits(ANNA)], how="vertical_relaxed")
    assert refusal(frame) == "frame does not fit gold/visits: visits has 2 nulls"
