"""The ten groups that shops know by name, and which scores belong to each.

Belongs here: the rules, their table of the 125 triples, and what a group means in words. Does not
belong here: the scores (`models.rfm`).

The names are those of Shopify's CustomerRfmGroup. How the groups divide the triples is ours: a
name claims only what the scores say. So the orders decide first: whoever is in the lowest fifth by
orders has few, whatever was spent on them, and many orders need a score of three at least.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import polars as pl

SCORES = (1, 2, 3, 4, 5)
# In the place of a group where a customer had no sale yet.
NO_SALE = "NO_SALE"


@dataclass(frozen=True)
class RfmGroup:
    """A group.

    Attributes:
        name: as in gold/customer_rfm.
        label: as people write it.
        meaning: who is in it, as a sentence.
        action: what to do.
    """

    name: str
    label: str
    meaning: str
    action: str


@dataclass(frozen=True)
class PurchaseHistory:
    """How much a customer has bought, by the scores of orders and of money together.

    Attributes:
        fewest_f: the least f_score.
        fewest_f_and_m: the least f_score + m_score.
        groups: the group by r_score: of 5, 4, 3, 2, 1.
    """

    fewest_f: int
    fewest_f_and_m: int
    groups: tuple[str, str, str, str, str]


GROUPS: Mapping[str, RfmGroup] = {
    group.name: group
    for group in (
        RfmGroup(
            "CHAMPIONS",
            "Champions",
            "Bought very lately, and are among the best in orders and money.",
            "Thank them, show them new things first, and ask them to recommend you.",
        ),
        RfmGroup(
            "LOYAL",
            "Loyal",
            "Rank high in orders and money together, and did not buy long ago.",
            "Reward them, and show what goes with what they have.",
        ),
        RfmGroup(
            "ACTIVE",
            "Active",
            "Bought lately, have more than few orders, and do not rank high.",
            "Suggest the next order before they look elsewhere.",
        ),
        RfmGroup(
            "NEW",
            "New",
            "Bought very lately and have few orders: new, or seldom here.",
            "Welcome them; the next order decides whether they stay.",
        ),
        RfmGroup(
            "PROMISING",
            "Promising",
            "Bought lately and have few orders.",
            "Remind them within the month of what goes with the first order.",
        ),
        RfmGroup(
            "NEEDS_ATTENTION",
            "Needs attention",
            "Bought neither lately nor long ago, and are not among the best.",
            "Give a reason to come back now: news, or a small offer.",
        ),
        RfmGroup(
            "AT_RISK",
            "At risk",
            "Rank high in orders and money together, and have stayed away for long.",
            "Write in person, and ask what was missing.",
        ),
        RfmGroup(
            "ALMOST_LOST",
            "Almost lost",
            "Have more than few orders, do not rank high, and have stayed away for long.",
            "One good offer; then let them go.",
        ),
        RfmGroup(
            "PREVIOUSLY_LOYAL",
            "Previously loyal",
            "Were among the best in orders and money, and have stayed away for long.",
            "Win them back in person: no other lapsed customers are worth as much.",
        ),
        RfmGroup(
            "DORMANT",
            "Dormant",
            "Have few orders, and the latest was long ago.",
            "Spend nothing on them beyond the newsletter.",
        ),
    )
}

# The first that holds decides.
HISTORIES: tuple[PurchaseHistory, ...] = (
    PurchaseHistory(4, 9, ("CHAMPIONS", "LOYAL", "LOYAL", "PREVIOUSLY_LOYAL", "PREVIOUSLY_LOYAL")),
    PurchaseHistory(3, 7, ("LOYAL", "LOYAL", "NEEDS_ATTENTION", "AT_RISK", "AT_RISK")),
    PurchaseHistory(2, 3, ("ACTIVE", "ACTIVE", "NEEDS_ATTENTION", "ALMOST_LOST", "ALMOST_LOST")),
    PurchaseHistory(1, 2, ("NEW", "PROMISING", "NEEDS_ATTENTION", "DORMANT", "DORMANT")),
)


def group_of(r_score: int, f_score: int, m_score: int) -> str:
    """The group of a triple of scores from 1 to 5.

    >>> group_of(5, 5, 5), group_of(1, 5, 5), group_of(5, 1, 5), group_of(1, 1, 1)
    ('CHAMPIONS', 'PREVIOUSLY_LOYAL', 'NEW', 'DORMANT')
    """
    history = next(
        one
        for one in HISTORIES
        if f_score >= one.fewest_f and f_score + m_score >= one.fewest_f_and_m
    )
    return history.groups[5 - r_score]


TRIPLES: Mapping[tuple[int, int, int], str] = {
    triple: group_of(*triple) for triple in product(SCORES, SCORES, SCORES)
}


def rfm_group(r_score: pl.Expr, f_score: pl.Expr, m_score: pl.Expr) -> pl.Expr:
    """The group of each row's scores; null where one of them is null or no score.

    >>> scores = pl.DataFrame({"r": [5, 1, 6], "f": [4, 3, 5], "m": [5, 4, 5]})
    >>> scores.select(rfm_group(pl.col("r"), pl.col("f"), pl.col("m"))).to_series().to_list()
    ['CHAMPIONS', 'AT_RISK', None]
    """
    numbers = [100 * r + 10 * f + m for r, f, m in TRIPLES]
    number = 100 * r_score + 10 * f_score + m_score
    return number.replace_strict(
        numbers, list(TRIPLES.values()), default=None, return_dtype=pl.String
    )


def table_of_triples(groups: Sequence[RfmGroup] = tuple(GROUPS.values())) -> str:
    """The 125 triples as a table in Markdown: a row per f and m score, a column per r score.

    >>> print(table_of_triples().splitlines()[2])
    | 5, 5 | Champions | Loyal | Loyal | Previously loyal | Previously loyal |
    """
    labels = {group.name: group.label for group in groups}
    best_first = SCORES[::-1]
    rows = (
        [f"{f}, {m}", *(labels[TRIPLES[r, f, m]] for r in best_first)]
        for f in best_first
        for m in best_first
    )
    head = ["f_score, m_score", *(f"r_score {r}" for r in best_first)]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
