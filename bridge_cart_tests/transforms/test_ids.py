"""Ids keep what the shop gave and lose what programs on the way have added."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.transforms.ids import is_id, tidy_id


def tidied(*texts: str | None) -> list[str | None]:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return frame.select(tidy_id(pl.col("text"))).to_series().to_list()


def possible(*texts: str | None) -> list[bool | None]:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return frame.select(is_id(pl.col("text"))).to_series().to_list()


GIVEN = st.from_regex(r"[A-Za-zäéß#][A-Za-z0-9äéß_/-]{2,12}[A-Za-z1-9]", fullmatch=True).filter(
    lambda text: tidied(text) == [unicodedata.normalize("NFC", text)]
)
ADDED = (
    "{}",
    "  {}\t",
    '="{}"',
    "'{}",
    "{}\u200e",
    "\u202b{}\u202c",
    "\ufeff{}",
    "{}\x00\x00",
    "\u00a0{}\u200b",
)


@given(st.lists(GIVEN, min_size=1, max_size=8), st.sampled_from(ADDED))
@settings(deadline=None, max_examples=60)
def test_an_id_comes_back_whatever_was_added(ids: list[str], added: str) -> None:
    wanted = [unicodedata.normalize("NFC", one) for one in ids]
    assert tidied(*(added.format(one) for one in ids)) == wanted
    assert tidied(*(unicodedata.normalize("NFD", added.format(one)) for one in ids)) == wanted
    assert possible(*wanted) == [True] * len(ids)


@given(st.integers(0, 10**20))
@settings(deadline=None, max_examples=60)
def test_a_number_loses_what_a_float_adds_and_keeps_its_zeros(number: int) -> None:
    assert tidied(f"{number}.0", f"00{number}", f'="0{number}"') == [
        f"{number}",
        f"00{number}",
        f"0{number}",
    ]


def test_case_is_kept() -> None:
    assert tidied("C001", "c001") == ["C001", "c001"]


@pytest.mark.parametrize(
    "text",
    [
        *("5.01235E+12", "5E+12", "1.2345e4", "5,01235E+12", "-1.5e3", "2E-7"),
        *('{"id": 5}', "{}", '["C1"]', "[]", "true", "False", "a\ufffdb"),
    ],
)
def test_what_cannot_be_an_id(text: str) -> None:
    assert possible(text, None, "C1") == [False, None, True]


@pytest.mark.parametrize("text", ["''", "'", "'NULL'", '=""', "' '"])
def test_a_guard_around_nothing_is_no_id(text: str) -> None:
    assert tidied(text) == [None]


@pytest.mark.parametrize("text", ["12E5", "E12", "1.2", "A[1]", "{x", "truethat", "0", "guest"])
def test_what_may_look_odd_and_is_an_id(text: str) -> None:
    assert possible(text) == [True]
