"""Each triple of scores belongs to one of the ten groups, and a group's name says what is so."""

from itertools import product
from pathlib import Path

import polars as pl

from bridge_cart_assets.transforms.rfm_groups import (
    GROUPS,
    TRIPLES,
    rfm_group,
    table_of_triples,
)

OF_THE_CONTRACT = {
    *("CHAMPIONS", "LOYAL", "ACTIVE", "NEW", "PROMISING", "NEEDS_ATTENTION"),
    *("AT_RISK", "ALMOST_LOST", "PREVIOUSLY_LOYAL", "DORMANT"),
}


def test_the_125_triples_belong_to_the_ten_groups_each_to_one() -> None:
    assert set(TRIPLES) == set(product(range(1, 6), repeat=3))
    assert set(TRIPLES.values()) == set(GROUPS) == OF_THE_CONTRACT


def test_the_expression_gives_the_group_of_every_triple() -> None:
    rows = pl.DataFrame(list(TRIPLES), schema=["r", "f", "m"], orient="row")
    groups = rows.select(rfm_group(pl.col("r"), pl.col("f"), pl.col("m"))).to_series()
    assert groups.to_list() == list(TRIPLES.values())


def test_a_score_more_never_makes_a_worse_customer() -> None:
    """In the order of purchases: with equal recency more orders or money, and the other way."""
    history = {
        **dict.fromkeys(("NEW", "PROMISING", "DORMANT"), 1),
        **dict.fromkeys(("ACTIVE", "ALMOST_LOST", "NEEDS_ATTENTION"), 2),
        **dict.fromkeys(("LOYAL", "AT_RISK"), 3),
        **dict.fromkeys(("CHAMPIONS", "PREVIOUSLY_LOYAL"), 4),
    }
    for (r, f, m), group in TRIPLES.items():
        for more in ((r, f + 1, m), (r, f, m + 1)):
            assert history[TRIPLES.get(more, group)] >= history[group], (r, f, m)


def test_names_claim_only_what_the_scores_say() -> None:
    for (r, f, m), group in TRIPLES.items():
        is_away = group in {"AT_RISK", "ALMOST_LOST", "PREVIOUSLY_LOYAL", "DORMANT"}
        assert is_away == (r <= 2)
        assert (group in {"CHAMPIONS", "NEW"}) <= (r == 5)
        assert (group in {"ACTIVE", "PROMISING"}) <= (r >= 4)
        # Few orders are few, however much was spent; and many are not few.
        assert (group in {"NEW", "PROMISING", "DORMANT"}) <= (f == 1)
        assert (group in {"LOYAL", "AT_RISK"}) <= (f >= 3 and f + m >= 7)
        assert (group in {"CHAMPIONS", "PREVIOUSLY_LOYAL"}) <= (min(f, m) >= 4 and f + m >= 9)


def test_the_docs_have_the_table_of_triples() -> None:
    page = Path(__file__).parents[2] / "docs" / "models.md"
    assert table_of_triples() in page.read_text()
