"""Which figures are worth a warning, which stop everything, and what each finding tells."""

import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.checks.anomalies import against_trailing, against_weekday, fresh
from bridge_cart_assets.checks.check import Check, CheckContext, CheckResult
from bridge_cart_assets.checks.integrity import sums_agree
from bridge_cart_assets.checks.model_quality import in_use
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables import gold, ops, silver
from bridge_cart_assets.tables.gold import (
    CUSTOMER_FEATURES,
    CUSTOMER_VALUE,
    KPIS_DAILY,
    MODEL_DRIFT,
    MODEL_METRICS,
    SEGMENT_METRICS,
    SEGMENT_MIGRATION,
)
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.thresholds import THRESHOLDS

MONDAY = date(2024, 1, 1)
AS_OF = date(2024, 3, 4)
GOLD = [(table, check) for table in gold.TABLES for check in checks_of(table)]
# These look at silver too, at the clock, or at several tables.
OF_SILVER = (
    *("as_of_is_fresh", "revenue_agrees", "anonymous_revenue_agrees", "net_revenue_agrees"),
    *("anonymous_refunds_agree", "historic_clv_agrees"),
)
OF_GOLD = [(table, check) for table, check in GOLD if check.name not in OF_SILVER]


def frame(table: Table, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of a table; what a row does not say is null, zero, empty, false or the first day."""
    blank: dict[Any, Any] = {pl.Int64: 0, pl.Float64: 0.0, pl.String: "", pl.Date: MONDAY}
    default = {name: blank.get(type(table.dtypes[name])) for name in table.not_null}
    default |= {n: Decimal(0) for n in table.not_null if isinstance(table.dtypes[n], pl.Decimal)}
    default |= {n: False for n in table.not_null if table.dtypes[n] == pl.Boolean}
    default |= {n: [] for n in table.not_null if isinstance(table.dtypes[n], pl.List)}
    return table.conform(pl.DataFrame([default | row for row in rows], schema=table.dtypes))


def find(
    lake: str | Path, table: Table, name: str, *frames: tuple[Table, pl.DataFrame]
) -> CheckResult:
    (check,) = (one for one in checks_of(table) if one.name == name)
    return check.compute(CheckContext(Lake(str(lake)), frames={t.path: rows for t, rows in frames}))


def is_blocking(table: Table, name: str) -> bool:
    return next(one.blocking for one in checks_of(table) if one.name == name)


# The same weekday of the weeks before


def days(weekly: list[float], each: float = 1.0, other: int = 700) -> pl.DataFrame:
    """Days of whole weeks: on Mondays, the last on the last day, so many orders; on others else.

    Every order is worth the same.
    """
    count = 7 * (len(weekly) - 1) + 1
    orders = [other if n % 7 else weekly[n // 7] for n in range(count)]
    return frame(
        KPIS_DAILY,
        *(
            {
                "day": MONDAY + timedelta(days=n),
                "revenue": Decimal(str(each * sold)),
                "orders": round(sold),
            }
            for n, sold in enumerate(orders)
        ),
    )


def weekday(kpis: pl.DataFrame, until: date = date(2030, 1, 1)) -> CheckResult:
    return against_weekday(kpis, "revenue", "orders", until, THRESHOLDS)


def test_a_mondays_figure_is_compared_with_mondays_and_not_with_other_days() -> None:
    mondays = [100.0, 140.0, 60.0, 120.0, 80.0, 100.0]
    found = weekday(days([*mondays, 101.0], other=9999))
    assert found.passed
    assert (found.metadata["median"], found.metadata["days"]) == (100.0, 6)
    assert not weekday(days([*mondays, 9999.0], other=9999)).passed


def test_the_score_is_that_of_iglewicz_and_hoaglin() -> None:
    # Median 10,200; deviations 0, 200, 200, 400 and 400, of which 200 is the median.
    found = weekday(days([10_000.0, 10_200.0, 9_800.0, 10_400.0, 10_600.0, 9_400.0]))
    assert found.metadata["median"] == 10_200.0
    assert found.metadata["z"] == pytest.approx(0.6745 * (9_400 - 10_200) / 200)


@pytest.mark.parametrize(
    ("value", "passed"), [(11_030.0, True), (11_050.0, False), (8_970.0, True), (8_950.0, False)]
)
def test_a_day_is_unusual_beyond_the_bound_both_ways(value: float, passed: bool) -> None:
    # Median 10,000, MAD 200: z is 3.5 at 10,000 +- 1,037.8.
    before = [9_800.0, 10_200.0, 10_000.0, 9_800.0, 10_200.0]
    assert weekday(days([*before, value])).passed is passed


def test_one_odd_monday_among_them_does_no_harm() -> None:
    before = [9_800.0, 10_200.0, 10_000.0, 9_800.0, 10_200.0, 500_000.0]
    assert not weekday(days([*before, 15_000.0])).passed
    assert weekday(days([*before, 10_100.0])).passed


def test_only_the_last_weeks_are_looked_at() -> None:
    found = weekday(days([9000.0] * 5 + [100.0, 101.0] * 4 + [100.0]))
    assert found.passed
    assert found.metadata["days"] == THRESHOLDS.weekdays
    first = date.fromisoformat(str(found.metadata["first_day"]))
    last = date.fromisoformat(str(found.metadata["last_day"]))
    assert last - first == timedelta(weeks=THRESHOLDS.weekdays)


@pytest.mark.parametrize(("weeks", "says"), [(3, "3 Mondays before"), (4, "median of the 4")])
def test_a_few_weeks_are_needed(weeks: int, says: str) -> None:
    found = weekday(days([100.0] * weeks + [0.0]))
    assert says in found.message
    assert found.passed is (weeks < THRESHOLDS.weekdays_needed)


def test_a_day_that_is_still_going_on_is_not_judged() -> None:
    kpis = days([100.0, 101.0, 99.0, 100.0, 102.0, 0.0])
    last = kpis["day"].max()
    assert isinstance(last, date)
    assert not weekday(kpis, until=last).passed
    before = weekday(kpis, until=last - timedelta(days=1))
    assert before.passed
    assert before.metadata["last_day"] == (last - timedelta(days=1)).isoformat()


def test_a_day_without_an_order_counts_as_zero() -> None:
    found = weekday(days([0.0, 100.0, 0.0, 104.0, 0.0, 0.0]))
    assert (found.metadata["median"], found.metadata["days"]) == (0.0, 5)
    assert found.passed


@pytest.mark.parametrize(
    ("before", "value", "passed"),
    [
        # All alike: chance alone is the measure.
        ([10.0] * 8, 10.0, True),
        ([10.0] * 8, 16.0, True),
        ([10.0] * 8, 0.0, False),
        ([10.0] * 8, 30.0, False),
        ([0.0] * 8, 3.0, True),
        ([0.0] * 8, 4.0, False),
        # More than half alike: the mean deviation says what is usual.
        ([100.0] * 5 + [40.0, 160.0, 180.0], 200.0, True),
        ([100.0] * 5 + [98.0, 102.0, 101.0], 200.0, False),
        # Close together by luck, or few: what chance does is no alarm.
        ([0.0] * 7 + [1.0], 1.0, True),
        ([99.0, 100.0, 101.0, 100.0, 99.0, 101.0, 100.0, 99.0], 115.0, True),
        ([99.0, 100.0, 101.0, 100.0, 99.0, 101.0, 100.0, 99.0], 150.0, False),
    ],
)
def test_what_chance_alone_explains_is_not_unusual(
    before: list[float], value: float, passed: bool
) -> None:
    assert weekday(days([*before, value])).passed is passed


def test_revenue_is_measured_in_orders() -> None:
    assert weekday(days([*([0.0] * 8), 1.0], each=250.0)).passed
    assert not weekday(days([*([0.0] * 8), 25.0], each=250.0)).passed


def test_orders_of_very_different_worth_make_revenue_scatter_and_are_allowed_to() -> None:
    calm = days([16.0] * 8 + [40.0], other=16)
    worth = pl.when(pl.int_range(pl.len()) % 2 == 0).then(12).otherwise(20)
    # The same orders and the same revenue on the Mondays, but the other days go up and down.
    mondays = pl.col("day").dt.weekday() == 1
    wild = calm.with_columns(
        revenue=pl.when(mondays)
        .then("revenue")
        .otherwise(pl.col("orders") * worth / 16)
        .cast(pl.Decimal(18, 2))
    )
    assert not weekday(calm).passed
    found, before = weekday(wild).metadata["z"], weekday(calm).metadata["z"]
    assert isinstance(found, float)
    assert isinstance(before, float)
    assert 0 < found < before


def test_one_order_that_is_far_too_large_is_seen_though_it_is_one() -> None:
    wrong = days([16.0] * 9).with_columns(
        revenue=pl.when(pl.col("day") == pl.col("day").max())
        .then(pl.lit(5000))
        .otherwise("revenue")
        .cast(pl.Decimal(18, 2))
    )
    assert not weekday(wrong).passed


@settings(deadline=None)
@given(st.lists(st.integers(0, 400), min_size=4, max_size=8), st.integers(0, 400))
def test_the_median_is_never_unusual_and_the_currency_does_not_matter(
    before: list[int], value: int
) -> None:
    orders = [*map(float, before), float(value)]
    found = weekday(days(orders))
    assert weekday(days(orders, each=10.0)).metadata["z"] == pytest.approx(found.metadata["z"])
    middle = found.metadata["median"]
    assert isinstance(middle, float)
    assert weekday(days([*map(float, before), middle])).metadata["z"] == 0


def test_each_figure_of_the_day_has_its_check(tmp_path: Path) -> None:
    kpis = days([100.0, 101.0, 99.0, 100.0, 102.0, 0.0])
    verdicts = {
        column: find(tmp_path, KPIS_DAILY, f"{column}_usual_for_the_weekday", (KPIS_DAILY, kpis))
        for column in ("revenue", "orders", "new_customers")
    }
    assert {column: found.passed for column, found in verdicts.items()} == {
        "revenue": False,
        "orders": False,
        "new_customers": True,
    }
    assert not is_blocking(KPIS_DAILY, "revenue_usual_for_the_weekday")


# Models


def metrics(*rows: tuple[str, int, str, float, str | None, bool | None]) -> pl.DataFrame:
    names = ("model", "model_version", "metric", "value", "gate", "passed")
    return frame(MODEL_METRICS, *(dict(zip(names, row, strict=True)) for row in rows))


def test_missed_gates_are_named_and_warn(tmp_path: Path) -> None:
    rows = metrics(
        ("segments", 2, "stability", 0.7, ">= 0.8", False),
        ("segments", 2, "silhouette", 0.4, None, None),
        ("nbd", 20240304, "brier", 0.2, "<= 0.25", True),
    )
    found = find(tmp_path, MODEL_METRICS, "gates_passed", (MODEL_METRICS, rows))
    assert (found.passed, found.message) == (
        False,
        "1 of 2 gates missed: segments stability 0.7 (>= 0.8)",
    )
    assert not is_blocking(MODEL_METRICS, "gates_passed")


@pytest.mark.parametrize(
    ("drop_out", "brier", "candidate"),
    [(True, True, "nbd"), (False, True, "bg_nbd"), (True, False, "bg_nbd")],
)
def test_a_model_that_is_not_used_misses_no_gate(
    drop_out: bool, brier: bool, candidate: str
) -> None:
    rows = metrics(
        ("bg_nbd", 20240304, "drop_out", 0.1, ">= 0.01", drop_out),
        ("bg_nbd", 20240304, "brier", 0.3, "<= 0.25", brier),
        ("nbd", 20240304, "calibration_error", 0.5, "<= 0.1", False),
        ("segments", 1, "stability", 0.7, ">= 0.8", False),
    )
    assert {"bg_nbd", "nbd", "segments"} - set(in_use(rows)["model"]) == {candidate}


@pytest.mark.parametrize(
    ("brier", "deviance", "said_of"),
    [
        (True, True, ["auc", "brier", "calibration_error", "poisson_deviance"]),
        (True, False, ["auc", "brier", "calibration_error"]),
        (False, True, ["poisson_deviance"]),
        (False, False, []),
    ],
)
def test_a_correction_that_is_not_used_has_no_gate_to_miss(
    brier: bool, deviance: bool, said_of: list[str]
) -> None:
    passed = {"brier": brier, "poisson_deviance": deviance, "auc": False, "past_days": True}
    rows = pl.DataFrame(
        {
            "model": "calibrated",
            "metric": [*passed, "calibration_error"],
            "passed": [*passed.values(), True],
        }
    )
    assert in_use(rows)["metric"].sort().to_list() == said_of


def test_what_an_earlier_version_missed_is_over(tmp_path: Path) -> None:
    rows = metrics(
        ("segments", 1, "stability", 0.7, ">= 0.8", False),
        ("segments", 2, "stability", 0.9, ">= 0.8", True),
        # A part of the value model that was not judged at its latest version.
        ("bg_nbd", 20240303, "brier", 0.3, "<= 0.25", False),
        ("value_data", 20240304, "customers", 900.0, ">= 500", True),
    )
    found = find(tmp_path, MODEL_METRICS, "gates_passed", (MODEL_METRICS, rows))
    assert (found.passed, found.metadata["gates"]) == (True, 2)
    naive = find(tmp_path, MODEL_METRICS, "value_model_beats_naive", (MODEL_METRICS, rows))
    assert naive.passed
    assert naive.metadata["compared"] == 0


def test_a_value_model_that_is_worse_than_the_naive_guess_warns(tmp_path: Path) -> None:
    rows = metrics(
        ("bg_nbd", 20240304, "brier", 0.3, "<= 0.25", False),
        ("bg_nbd", 20240304, "mae", 0.8, "<= 0.7", False),
        ("nbd", 20240304, "brier", 0.2, "<= 0.25", True),
        ("gamma_gamma", 20240304, "mae", 9.0, "<= 8", False),
    )
    found = find(tmp_path, MODEL_METRICS, "value_model_beats_naive", (MODEL_METRICS, rows))
    assert (found.passed, found.message) == (
        False,
        "worse than the naive guess: bg_nbd brier 0.3 (<= 0.25)",
    )
    better = rows.filter("passed")
    assert find(tmp_path, MODEL_METRICS, "value_model_beats_naive", (MODEL_METRICS, better)).passed
    assert not is_blocking(MODEL_METRICS, "value_model_beats_naive")


@pytest.mark.parametrize(("share", "passes"), [(0.05, True), (0.051, False)])
def test_a_training_that_moves_many_customers_is_told(
    tmp_path: Path, share: float, passes: bool
) -> None:
    versions = [(2, 0.9), (3, share)]
    row = {"model": "segments", "metric": "moved_by_model", "trained_as_of": date(2024, 5, 1)}
    rows = [{**row, "model_version": version, "value": value} for version, value in versions]
    moved = (MODEL_METRICS, frame(MODEL_METRICS, *rows))
    found = find(tmp_path, MODEL_METRICS, "retraining_moves_few", moved)
    assert found.passed == passes
    assert found.metadata["value"] == share
    assert not is_blocking(MODEL_METRICS, "retraining_moves_few")
    none = (MODEL_METRICS, MODEL_METRICS.empty())
    assert find(tmp_path / "no", MODEL_METRICS, "retraining_moves_few", none).passed


def test_drift_warns_and_names_what_has_moved(tmp_path: Path) -> None:
    rows = frame(
        MODEL_DRIFT,
        {"subject": "frequency", "psi": 0.31, "bound": 0.25, "has_drifted": True, "as_of": AS_OF},
        {"subject": "recency_days", "psi": 0.1, "bound": 0.25, "as_of": AS_OF},
    )
    found = find(tmp_path, MODEL_DRIFT, "no_drift", (MODEL_DRIFT, rows))
    assert not found.passed
    assert "frequency (0.31)" in found.message
    assert "recency_days" not in found.message
    assert (found.metadata["value"], found.metadata["bound"]) == (0.31, 0.25)
    assert (found.metadata["first_day"], found.metadata["last_day"]) == ("2024-01-01", "2024-03-04")
    calm = rows.filter(~pl.col("has_drifted"))
    assert find(tmp_path, MODEL_DRIFT, "no_drift", (MODEL_DRIFT, calm)).passed
    assert not is_blocking(MODEL_DRIFT, "no_drift")


# Values


def value(customer: str, **known: Any) -> dict[str, Any]:
    return {"customer_id": customer, "as_of": AS_OF, "model_status": "fitted", **known}


@pytest.mark.parametrize(
    ("column", "probability", "passed"),
    [
        ("p_alive", 0.0, True),
        ("p_alive", 1.0, True),
        ("p_alive", None, True),
        ("p_alive", 1.001, False),
        ("p_alive", float("nan"), False),
        ("churn_probability_90d", -0.001, False),
    ],
)
def test_a_probability_is_one_or_stops_everything(
    tmp_path: Path, column: str, probability: float | None, passed: bool
) -> None:
    rows = frame(CUSTOMER_VALUE, value("C1", **{column: probability}), value("C2"))
    found = find(tmp_path, CUSTOMER_VALUE, "probabilities_in_range", (CUSTOMER_VALUE, rows))
    assert found.passed is passed
    assert is_blocking(CUSTOMER_VALUE, "probabilities_in_range")


@pytest.mark.parametrize(
    ("predicted", "clv", "passed"),
    [("2.50", "12.50", True), ("2.50", "12.51", False), ("2.50", None, False), (None, None, True)],
)
def test_clv_is_the_sum_of_its_parts_to_the_cent(
    tmp_path: Path, predicted: str | None, clv: str | None, passed: bool
) -> None:
    parts = {
        "historic_clv": Decimal("10.00"),
        "predicted_clv_365d": predicted and Decimal(predicted),
        "clv": clv and Decimal(clv),
    }
    rows = frame(CUSTOMER_VALUE, value("C1", **parts))
    found = find(tmp_path, CUSTOMER_VALUE, "clv_adds_up", (CUSTOMER_VALUE, rows))
    assert found.passed is passed
    assert is_blocking(CUSTOMER_VALUE, "clv_adds_up")


def test_a_model_that_stands_in_warns_and_says_why(tmp_path: Path) -> None:
    why = "not_fitted: 40 customers, 500 are needed"
    rows = frame(CUSTOMER_VALUE, value("C1", model_status=why), value("C2"))
    found = find(tmp_path, CUSTOMER_VALUE, "value_is_predicted", (CUSTOMER_VALUE, rows))
    assert (found.passed, found.metadata["value"]) == (False, 1)
    assert why in found.message
    fitted = frame(CUSTOMER_VALUE, value("C1"))
    assert find(tmp_path, CUSTOMER_VALUE, "value_is_predicted", (CUSTOMER_VALUE, fitted)).passed
    assert not is_blocking(CUSTOMER_VALUE, "value_is_predicted")


def moves(*rows: tuple[str, int, int, int]) -> pl.DataFrame:
    names = ("from_segment_id", "to_segment_id", "customers")
    return frame(
        SEGMENT_MIGRATION,
        *(
            {"period_end": date.fromisoformat(end), **dict(zip(names, counts, strict=True))}
            for end, *counts in rows
        ),
    )


@pytest.mark.parametrize(
    ("total", "passed", "says"),
    [(5, True, "5 customers moved"), (6, False, "6 had a sale")],
)
def test_everybody_is_in_the_table_of_moves_once(
    tmp_path: Path, total: int, passed: bool, says: str
) -> None:
    migration = moves(("2024-01-31", 0, 1, 4), ("2024-02-29", 0, 1, 1), ("2024-02-29", 1, 1, 4))
    bought = [{"customer_id": f"C{n}"} for n in range(total)]
    later = {"customer_id": "later", "first_purchase_day": date(2024, 3, 1)}
    day = {"first_purchase_day": date(2024, 2, 29)}
    features = frame(CUSTOMER_FEATURES, *({**one, **day} for one in bought), later)
    found = find(
        tmp_path,
        SEGMENT_MIGRATION,
        "customers_add_up",
        (SEGMENT_MIGRATION, migration),
        (CUSTOMER_FEATURES, features),
    )
    assert found.passed is passed
    assert says in found.message
    assert is_blocking(SEGMENT_MIGRATION, "customers_add_up")


# What all findings tell

# Their rows are of no day: they are of all days up to as_of.
OF_ALL_DAYS = (gold.FIRST_CATEGORY, gold.CATEGORY_PAIRS)


@pytest.mark.parametrize(("table", "check"), OF_GOLD, ids=lambda x: getattr(x, "name", x))
def test_an_empty_gold_table_passes_and_says_so(tmp_path: Path, table: Table, check: Check) -> None:
    found = check.compute(CheckContext(Lake(str(tmp_path))))
    assert found.passed
    assert found.message


@pytest.mark.parametrize(("table", "check"), OF_GOLD, ids=lambda x: getattr(x, "name", x))
def test_a_finding_on_gold_tells_figure_bound_and_days(
    tmp_path: Path, table: Table, check: Check
) -> None:
    rows: dict[str, pl.DataFrame] = {t.path: frame(t, {}) for t in gold.TABLES}
    rows[KPIS_DAILY.path] = days([100.0] * 6).with_columns(
        churn_rate_90d=pl.lit(0.5), aov_90d=pl.lit(10.0)
    )
    rows[SEGMENT_METRICS.path] = frame(
        SEGMENT_METRICS, {"is_current": True, "segment_contribution": 1.0}
    )
    rows["gold/cohort_retention"] = frame(gold.COHORT_RETENTION, {"cohort_month": "2024-01"})
    rows[MODEL_DRIFT.path] = frame(MODEL_DRIFT, {"psi": 0.1})
    rows[gold.MODEL_METRICS.path] = frame(
        gold.MODEL_METRICS, {}, {"metric": "moved_by_model", "value": 0.1}
    )
    found = check.compute(CheckContext(Lake(str(tmp_path)), frames=rows))
    assert {"value", "lowest", "outside"} & found.metadata.keys()
    assert {"bound", "lower_bound", "upper_bound"} & found.metadata.keys()
    for name in ("first_day", "last_day"):
        if table in OF_ALL_DAYS:
            assert name not in found.metadata
        else:
            date.fromisoformat(str(found.metadata[name]))
    assert None not in found.metadata.values()


def test_sums_of_money_that_differ_by_a_cent_do_not_agree() -> None:
    found = sums_agree({"here": Decimal("10.00"), "there": Decimal("10.01")})
    assert (found.passed, found.metadata["value"], found.metadata["bound"]) == (False, 0.01, 0.0)
    assert sums_agree({"here": Decimal("10.00"), "there": Decimal("10.0")}).passed


@pytest.mark.parametrize(("behind", "passed"), [(3, True), (4, False)])
def test_as_of_may_be_some_days_behind_the_clock(behind: int, passed: bool) -> None:
    found = fresh(AS_OF, AS_OF + timedelta(days=behind), timedelta(days=3))
    assert (found.passed, found.metadata["value"], found.metadata["bound"]) == (passed, behind, 3)
    assert found.metadata["first_day"] == "2024-03-04"


@pytest.mark.parametrize(("latest", "passed"), [(12.5, True), (12.6, False), (7.4, False)])
def test_a_kpi_is_compared_with_the_mean_of_the_days_before(latest: float, passed: bool) -> None:
    kpis = frame(
        KPIS_DAILY,
        *(
            {"day": MONDAY + timedelta(days=n), "aov_90d": value}
            for n, value in enumerate([99.0, *([10.0] * 28), latest])
        ),
    )
    found = against_trailing(kpis, "aov_90d", 0.25, 0.25, THRESHOLDS)
    assert found.passed is passed
    assert (found.metadata["lower_bound"], found.metadata["upper_bound"]) == (7.5, 12.5)
    assert (found.metadata["first_day"], found.metadata["last_day"]) == ("2024-01-02", "2024-01-30")


def test_the_page_on_checks_has_every_check_of_every_table_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "checks.md").read_text()
    documented = {
        (table.strip(), name)
        for names, tables in re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", page, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
        for table in tables.split(",")
    }
    tables = [*(source.raw for source in SOURCES), *silver.TABLES, *gold.TABLES, *ops.TABLES]
    declared = {
        ("raw/*" if table.layer == "raw" else table.path, check.name)
        for table in tables
        for check in checks_of(table)
        if check.name not in ("schema_as_declared", "keys_unique")
    }
    everywhere = {("every table", "schema_as_declared"), ("every table", "keys_unique")}
    assert documented == declared | everywhere


def test_a_check_says_what_it_asks_in_whole_sentences() -> None:
    for _, check in GOLD:
        assert check.meaning[0].isalnum() or check.meaning[0] == "("
        assert check.meaning.endswith(".")
