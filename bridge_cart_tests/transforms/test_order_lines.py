"""Lines of one order in one file: numbers, and blanks that the order's other lines fill."""

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.transforms.cleaning import clean_purchases
from bridge_cart_assets.transforms.order_lines import ORDER_FIELDS, complete_lines
from bridge_cart_tests.transforms.received import order_lines

Fields = dict[str, str | None]


def completed(*fields: Fields) -> pl.DataFrame:
    return complete_lines(order_lines(*fields).collect())


def numbers(*fields: Fields) -> list[str | None]:
    return completed(*fields)["line_number"].to_list()


def test_lines_without_a_number_are_numbered_in_file_order() -> None:
    lines: list[Fields] = [{"purchase_amount": amount} for amount in ("10.00", "20.00", "30.00")]
    assert numbers(*lines) == ["1", "2", "3"]


def test_each_order_is_numbered_by_itself() -> None:
    assert numbers({"order_id": "A"}, {"order_id": "B"}, {"order_id": "A", "quantity": "2"}) == [
        *("1", "1", "2")
    ]


def test_an_exact_repetition_has_the_number_of_the_first() -> None:
    assert numbers({}, {"quantity": "2"}, {}) == ["1", "2", "1"]


@pytest.mark.parametrize(
    ("given", "numbered"),
    [
        ([None, "1", None], ["2", "1", "3"]),
        (["2", None, None, "4"], ["2", "1", "3", "4"]),
        ([" 1 ", "n/a", ""], [" 1 ", "2", "3"]),
        # What is no number is refused later, and is nobody's number.
        (["L1", None], ["L1", "1"]),
        (["0", "-1", None], ["0", "-1", "1"]),
    ],
)
def test_numbers_that_are_taken_are_passed_over(
    given: list[str | None], numbered: list[str]
) -> None:
    lines: list[Fields] = [
        {"line_number": number, "quantity": f"{at + 1}"} for at, number in enumerate(given)
    ]
    assert numbers(*lines) == numbered


def test_a_message_is_numbered_by_no_other() -> None:
    lines = order_lines({}, {"quantity": "2"}, {"customer_id": None}).collect()
    messages = lines.with_columns(_fingerprint=pl.lit("bridge-cart.purchases-0"))
    done = complete_lines(messages)
    assert done["line_number"].to_list() == [None, None, None]
    assert done["customer_id"].to_list() == ["C1", "C1", None]


@pytest.mark.parametrize("field", ORDER_FIELDS)
def test_a_blank_takes_what_the_other_lines_of_the_order_agree_on(field: str) -> None:
    done = completed({field: "X", "quantity": "1"}, {field: " "}, {field: "X"}, {field: None})
    assert done[field].to_list() == ["X", "X", "X", "X"]


@pytest.mark.parametrize(
    ("field", "first", "other"),
    [
        *(
            ("customer_id", "55.0", "55"),
            ("customer_id", "'007", "007"),
            ("currency", "eur", "EUR"),
        ),
        *(("status", "Paid", "paid"), ("email", "Ann@Example.org", "ann@example.org")),
    ],
)
def test_two_spellings_of_one_value_agree(field: str, first: str, other: str) -> None:
    done = completed({field: first}, {field: None}, {field: other})
    assert done[field].to_list() == [first, first, other]


def test_a_blank_stays_where_the_others_disagree() -> None:
    done = completed({"customer_id": "c3"}, {"customer_id": "C3"}, {"customer_id": None})
    assert done["customer_id"].to_list() == ["c3", "C3", None]
    done = completed({"customer_id": "C3"}, {"customer_id": "C4"}, {"customer_id": None})
    assert done["customer_id"].to_list() == ["C3", "C4", None]


def test_a_blank_status_beside_others_that_disagree_is_a_guess() -> None:
    statuses = ("paid", "cancelled", None)
    done = completed(*({"status": status, "quantity": "1"} for status in statuses))
    assert done["_guessed"].to_list() == [None, None, "status"]
    cleaned = clean_purchases(done.lazy()).accepted
    assert cleaned.select("kind", "guessed").rows() == [
        ("sale", None),
        ("cancelled", None),
        ("sale", "status"),
    ]


def test_another_order_and_another_file_fill_nothing() -> None:
    lines = order_lines(
        {"order_id": "A", "status": "paid"},
        {"order_id": "B", "status": None},
        {"order_id": "A", "status": None},
    ).collect()
    other = pl.when(pl.col("_pos") == 3).then(pl.lit("e" * 64)).otherwise("_fingerprint")
    done = complete_lines(lines.with_columns(_fingerprint=other))
    assert done["status"].to_list() == ["paid", None, None]


def test_a_status_that_was_filled_in_is_marked() -> None:
    done = completed({"status": "paid"}, {"status": None}, {"order_id": "O2", "status": None})
    assert done["_status_filled"].to_list() == [False, True, False]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A", "B", None]),
            st.sampled_from([None, "", "1", "2", "3", "x"]),
            st.sampled_from(["1", "2"]),
        ),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_distinct_lines_never_share_a_number_and_order_of_rows_does_not_matter(
    lines: list[tuple[str | None, str | None, str]], shuffle: random.Random
) -> None:
    rows: list[Fields] = [
        {"order_id": order, "line_number": number, "quantity": quantity}
        for order, number, quantity in lines
    ]
    frame = order_lines(*rows).collect()
    done = complete_lines(frame)
    places = list(range(frame.height))
    shuffle.shuffle(places)
    assert complete_lines(frame[places]).sort("_pos").equals(done.sort("_pos"))
    blank = [number in (None, "") for _, number, _ in lines]
    numbered = done.filter(pl.Series(blank, dtype=pl.Boolean) & pl.col("order_id").is_not_null())
    for order in ("A", "B"):
        of_order = numbered.filter(pl.col("order_id") == order)
        distinct = of_order.select("line_number", "quantity").unique()
        assert distinct["line_number"].n_unique() == distinct["quantity"].n_unique()
        given_numbers = {number for name, number, _ in lines if name == order and number}
        assert not given_numbers & set(of_order["line_number"].to_list())
