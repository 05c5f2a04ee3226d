"""Which record stands and what becomes of the others, whatever the order of arrival."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.transforms.folding import Folded, WholeOrder, fold_customers, fold_purchases

Record = dict[str, Any]
Fold = Callable[[pl.DataFrame], Folded]
START = datetime(2024, 1, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")
Schema = dict[str, pl.DataType | type[pl.DataType]]
Identity = tuple[str, int]
PLACE: Schema = {
    "batch_day": pl.Date,
    "object": pl.String,
    "pos": pl.Int64,
    "fingerprint": pl.String,
    "item": pl.Int64,
}
LINE: Schema = {
    "source": pl.String,
    "order_id": pl.String,
    "line_number": pl.Int64,
    "says": pl.String,
    "version_at": MOMENT,
    **PLACE,
}
ORDER_LINE: Schema = {**LINE, "kind": pl.String}
PROFILE: Schema = {
    "source": pl.String,
    "customer_id": pl.String,
    "says": pl.String,
    "valid_from": MOMENT,
    "version_at": MOMENT,
    **PLACE,
}


def place(batch: int, object: str, pos: int) -> Record:
    """Where a record came from; a file's name and day make its bytes here."""
    day = date(2024, 1, 1) + timedelta(days=batch)
    origin: Record = {"batch_day": day, "object": object, "pos": pos, "item": 1}
    return {**origin, "fingerprint": f"{batch}/{object}"}


def line(
    says: str | None,
    version: int,
    batch: int = 0,
    object: str = "a",
    pos: int = 1,
    order: str = "O1",
) -> Record:
    """A record of line 1 of an order, with what it says in one column."""
    return {
        "source": "purchases",
        "order_id": order,
        "line_number": 1,
        "says": says,
        "version_at": START + timedelta(days=version),
        **place(batch, object, pos),
    }


def profile(
    says: str | None, at: int, batch: int = 0, object: str = "a", pos: int = 1, who: str = "C1"
) -> Record:
    """A profile that holds from a day on."""
    moment = START + timedelta(days=at)
    return {
        "source": "customers",
        "customer_id": who,
        "says": says,
        "valid_from": moment,
        "version_at": moment,
        **place(batch, object, pos),
    }


def lines(*records: Record) -> Folded:
    return fold_purchases(pl.DataFrame(records, schema=LINE))


def history(*records: Record) -> Folded:
    return fold_customers(pl.DataFrame(records, schema=PROFILE))


def standing(folded: Folded) -> list[tuple[str, int]]:
    """What stands, with the batch that it came in, as a number of days."""
    days = (pl.col("batch_day") - pl.lit(START.date())).dt.total_days()
    return folded.current.sort("version_at").select("says", days).rows()


def fates(folded: Folded) -> list[tuple[str | None, str]]:
    return sorted(folded.superseded.select("says", "fate").rows())


def versions(folded: Folded) -> list[tuple[str, int, int | None, bool]]:
    """Each version: what it says, from which day to which, and whether it is current."""
    day = [(pl.col(n) - pl.lit(START)).dt.total_days() for n in ("valid_from", "valid_to")]
    ordered = folded.current.sort("customer_id", "valid_from")
    return ordered.select("says", *day, "is_current").rows()


def test_the_latest_version_stands_and_the_older_is_superseded() -> None:
    folded = lines(line("new", version=2), line("old", version=1, batch=5, object="b"))
    assert standing(folded) == [("new", 0)]
    assert fates(folded) == [("old", "superseded")]


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (line("x", 1, batch=1, object="a", pos=1), line("y", 1, batch=0, object="z", pos=9)),
        (line("x", 1, batch=1, object="b", pos=1), line("y", 1, batch=1, object="a", pos=9)),
        (line("x", 1, batch=1, object="a", pos=10), line("y", 1, batch=1, object="a", pos=9)),
    ],
    ids=["batch day", "object", "position"],
)
def test_of_equal_versions_the_place_decides(winner: Record, loser: Record) -> None:
    for order in ((winner, loser), (loser, winner)):
        folded = lines(*order)
        assert folded.current["says"].to_list() == ["x"]
        assert fates(folded) == [("y", "superseded")]


def test_an_identical_copy_in_a_later_batch_wins_and_the_first_is_the_duplicate() -> None:
    folded = lines(line("same", 1, batch=0), line("same", 1, batch=3))
    assert standing(folded) == [("same", 3)]
    assert folded.superseded.select("batch_day", "fate").rows() == [(date(2024, 1, 1), "duplicate")]


def test_a_record_is_a_duplicate_of_what_stands_even_across_another_version() -> None:
    folded = lines(line("a", 1), line("b", 2, pos=2), line("a", 3, pos=3), line(None, 0, pos=4))
    assert standing(folded) == [("a", 0)]
    assert sorted(folded.superseded.select("pos", "fate").rows()) == [
        (1, "duplicate"),
        (2, "superseded"),
        (4, "superseded"),
    ]


def test_two_records_without_a_value_say_the_same() -> None:
    assert fates(lines(line(None, 1), line(None, 2, pos=2))) == [(None, "duplicate")]


def test_lines_orders_and_sources_have_keys_of_their_own() -> None:
    elsewhere = line("c", 1, pos=3) | {"source": "online_retail"}
    second = line("d", 1, pos=4) | {"line_number": 2}
    folded = lines(line("a", 1), line("b", 1, pos=2, order="O2"), elsewhere, second)
    assert sorted(folded.current["says"]) == ["a", "b", "c", "d"]
    assert folded.superseded.is_empty()


def test_the_same_record_twice_is_one_record() -> None:
    folded = lines(line("a", 1), line("a", 1))
    assert (folded.current.height, folded.superseded.height) == (1, 0)


def test_profiles_follow_each_other_without_a_gap() -> None:
    folded = history(profile("b", 4, pos=2), profile("a", 0), profile("c", 9, pos=3))
    assert versions(folded) == [("a", 0, 4, False), ("b", 4, 9, False), ("c", 9, None, True)]
    assert folded.superseded.is_empty()


def test_equal_neighbours_are_one_version_and_the_later_is_a_duplicate() -> None:
    folded = history(profile("a", 0), profile("a", 3, pos=2), profile("b", 5, pos=3))
    assert versions(folded) == [("a", 0, 5, False), ("b", 5, None, True)]
    assert fates(folded) == [("a", "duplicate")]


def test_a_late_profile_splits_a_run_and_what_was_a_duplicate_stands_again() -> None:
    early, again, between = profile("a", 0), profile("a", 6, pos=2), profile("b", 3, batch=8)
    before = history(early, again)
    after = again_folded(fold_customers, before, between)
    assert versions(before) == [("a", 0, None, True)]
    assert versions(after) == [("a", 0, 3, False), ("b", 3, 6, False), ("a", 6, None, True)]
    assert after.superseded.is_empty()


def test_a_profile_that_comes_and_goes_again_is_three_versions() -> None:
    folded = history(profile("a", 0), profile("b", 1, pos=2), profile("a", 2, pos=3))
    assert [says for says, *_ in versions(folded)] == ["a", "b", "a"]


def test_of_profiles_from_one_moment_the_later_batch_stands() -> None:
    folded = history(profile("a", 1, batch=2), profile("b", 1, batch=3), profile("b", 1, batch=1))
    assert versions(folded) == [("b", 1, None, True)]
    assert fates(folded) == [("a", "superseded"), ("b", "duplicate")]


def test_each_customer_has_a_current_version() -> None:
    folded = history(profile("a", 0), profile("a", 1, pos=2, who="C2"))
    assert versions(folded) == [("a", 0, None, True), ("a", 1, None, True)]


def test_no_records_give_nothing() -> None:
    assert lines().current.is_empty()
    assert history().current.is_empty()
    assert history().superseded.columns == [*PROFILE, "fate"]


def again_folded(fold: Fold, folded: Folded, *new: Record) -> Folded:
    """Further records folded into what is already there, as silver does it."""
    schema = {n: t for n, t in folded.superseded.schema.items() if n != "fate"}
    parts = [pl.DataFrame(new, schema=schema), folded.current, folded.superseded]
    return fold(pl.concat([part.select(list(schema)) for part in parts]))


def naive_lines(records: list[Record]) -> tuple[set[Identity], dict[Identity, str]]:
    """What stands and the fate of the others, one record after the other."""
    by_key: dict[object, list[Record]] = {}
    for one in {identity(r): r for r in records}.values():
        by_key.setdefault((one["source"], one["order_id"], one["line_number"]), []).append(one)
    winners: set[Identity] = set()
    fate: dict[Identity, str] = {}
    for group in by_key.values():
        winner = max(group, key=rank)
        winners.add(identity(winner))
        for one in group:
            if one is not winner:
                fate[identity(one)] = "duplicate" if says(one) == says(winner) else "superseded"
    return winners, fate


def naive_profiles(
    records: list[Record],
) -> tuple[list[tuple[str, object, datetime, datetime | None]], dict[Identity, str]]:
    """Versions as (who, what, from, to) and the fate of the others."""
    moments: dict[tuple[str, datetime], list[Record]] = {}
    for one in {identity(r): r for r in records}.values():
        moments.setdefault((one["customer_id"], one["valid_from"]), []).append(one)
    fate: dict[Identity, str] = {}
    kept: dict[str, list[Record]] = {}
    for (who, _), group in sorted(moments.items()):
        winner = max(group, key=rank)
        for one in group:
            if one is not winner:
                fate[identity(one)] = "duplicate" if says(one) == says(winner) else "superseded"
        run = kept.setdefault(who, [])
        if run and says(run[-1]) == says(winner):
            fate[identity(winner)] = "duplicate"
        else:
            run.append(winner)
    found = []
    for who, run in kept.items():
        ends = [one["valid_from"] for one in run[1:]] + [None]
        found += [
            (who, says(one), one["valid_from"], end) for one, end in zip(run, ends, strict=True)
        ]
    return found, fate


def identity(record: Record) -> Identity:
    return (record["fingerprint"], record["pos"])


def rank(record: Record) -> tuple[object, ...]:
    return tuple(record[n] for n in ("version_at", "batch_day", "object", "pos"))


def says(record: Record) -> object:
    return record["says"]


# Small ranges, so that keys, versions and places meet often.
PLACES = st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.integers(1, 4))
WORDS = st.sampled_from(["x", "y", None])


def records_of(make: Callable[..., Record], owner: str) -> st.SearchStrategy[list[Record]]:
    one = st.tuples(PLACES, WORDS, st.integers(0, 3), st.sampled_from(["1", "2"]))
    return st.lists(one, unique_by=lambda drawn: drawn[0], max_size=14).map(
        lambda drawn: [make(w, v, *where, **{owner: who}) for where, w, v, who in drawn]
    )


@st.composite
def arrivals(draw: st.DrawFn, records: st.SearchStrategy[list[Record]]) -> list[list[Record]]:
    """Records in several batches, in any order, some of them more than once."""
    drawn = draw(records)
    repeated = drawn + (draw(st.lists(st.sampled_from(drawn), max_size=4)) if drawn else [])
    shuffled = draw(st.permutations(repeated))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    return [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]


def one_after_the_other(
    fold: Fold, schema: Schema, batches: list[list[Record]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    folded = fold(pl.DataFrame(schema=schema))
    for batch in batches:
        folded = again_folded(fold, folded, *batch)
    order = ["fingerprint", "pos"]
    return folded.current.sort(order), folded.superseded.sort(order)


@settings(max_examples=60, deadline=None)
@given(arrivals(records_of(line, "order")))
def test_order_lines_stand_the_same_in_any_order_and_any_batching(
    batches: list[list[Record]],
) -> None:
    stands, repeats = one_after_the_other(fold_purchases, LINE, batches)
    winners, fate = naive_lines([record for batch in batches for record in batch])
    assert set(stands.select("fingerprint", "pos").rows()) == winners
    assert {(f, p): why for f, p, why in repeats["fingerprint", "pos", "fate"].rows()} == fate
    assert stands.height + repeats.height == len(winners) + len(fate)


@settings(max_examples=60, deadline=None)
@given(arrivals(records_of(profile, "who")))
def test_profiles_become_the_same_history_in_any_order_and_any_batching(
    batches: list[list[Record]],
) -> None:
    stands, repeats = one_after_the_other(fold_customers, PROFILE, batches)
    found, fate = naive_profiles([record for batch in batches for record in batch])
    rows = stands.select("customer_id", "says", "valid_from", "valid_to").rows()
    assert sorted(rows, key=str) == sorted(found, key=str)
    assert (stands["is_current"] == stands["valid_to"].is_null()).all()
    assert {(f, p): why for f, p, why in repeats["fingerprint", "pos", "fate"].rows()} == fate


def whole_orders(*records: Record, kind: WholeOrder) -> Folded:
    return fold_purchases(pl.DataFrame(list(records), schema=ORDER_LINE), kind)


def order_line(number: int, version: int, object: str, pos: int, says: str = "") -> Record:
    of_record = line(says or f"{number}", version, object=object, pos=pos)
    return {**of_record, "line_number": number, "kind": "sale"}


def delivery(version: int, object: str, pos: int, lines: int) -> list[Record]:
    """A record of an order with some lines, or one that says that it has none."""
    rows = [
        order_line(number, version, object, pos) | {"item": number}
        for number in range(1, max(lines, 1) + 1)
    ]
    return [row | {"kind": "sale" if lines else "empty"} for row in rows]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.integers(1, 3), st.integers(0, 3)),
        unique_by=lambda drawn: drawn[1:3],
        min_size=1,
        max_size=8,
    ),
    st.data(),
)
def test_the_last_copy_of_an_order_stands_in_any_order_of_arrival_also_without_a_line(
    copies: list[tuple[int, str, int, int]], data: st.DataObject
) -> None:
    fold = partial(fold_purchases, whole_order_in="record")
    batches = data.draw(arrivals(st.just([row for one in copies for row in delivery(*one)])))
    stands, repeats = one_after_the_other(fold, ORDER_LINE, batches)
    _, object, pos, lines = max(copies)
    wanted = [(object, pos, number) for number in range(1, lines + 1)]
    assert stands.sort("item").select("object", "pos", "item").rows() == wanted
    empty = sum(lines == 0 for *_, lines in copies)
    assert repeats.filter(pl.col("fate") == "empty").height == empty
    assert stands.height + repeats.height == sum(max(lines, 1) for *_, lines in copies)


def test_a_line_that_the_latest_order_lacks_stands_no_more() -> None:
    earlier = [order_line(number, 1, "a", 1) | {"item": number} for number in (1, 2, 3)]
    later = [order_line(number, 2, "b", 1) | {"item": number} for number in (1, 2)]
    folded = whole_orders(*earlier, *later, kind="record")
    assert folded.current.sort("line_number").select("line_number", "object").rows() == [
        (1, "b"),
        (2, "b"),
    ]
    fates = folded.superseded.sort("line_number").select("line_number", "fate").rows()
    assert fates == [(1, "duplicate"), (2, "duplicate"), (3, "superseded")]


def test_the_rows_of_one_file_are_one_order() -> None:
    rows = [order_line(number, 1, "a", number) for number in (1, 2, 3)]
    assert whole_orders(*rows, kind="file").current.height == 3
    # Of records each is an order by itself: the last one replaces the others.
    assert whole_orders(*rows, kind="record").current["line_number"].to_list() == [3]
