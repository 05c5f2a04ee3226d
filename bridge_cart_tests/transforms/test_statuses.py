"""A status is one of four, in four languages, and a word that nobody knows is none."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_cart_assets.transforms.statuses import names_refund, read_status

WORDS = {
    "completed": (
        *("paid", "Processing", "fulfilled", "Order shipped", "Payment accepted", "in transit"),
        *("bezahlt", "In Bearbeitung", "zugestellt", "payée", "en cours de traitement", "livré"),
        *("pagado", "entregada", "partially refunded", "Teilweise erstattet", "unshipped"),
        *("partiellement remboursé", "parcialmente reembolsado", "canceled reversal"),
    ),
    "refunded": (
        *("refunded", "fully refunded", "returned", "erstattet", "zurueckerstattet"),
        *("remboursée", "reembolsado", "completed, then returned"),
    ),
    "cancelled": (
        *("void", "failed", "declined", "expired", "draft", "trash", "chargeback", "charged back"),
        *("Cancelled by customer", "storniert", "abgelehnt", "annulée", "refusé", "anulado"),
        *("rechazado", "payment error", "timed out", "cancelled - payment not received"),
        *("not paid, expired", "storniert (nicht bezahlt)", "void / unpaid", "annulée, non payée"),
    ),
    "pending": (
        *("authorized", "on hold", "onhold", "awaiting fulfilment", "not paid", "unpaid", "due"),
        *("ausstehend", "nicht bezahlt", "en attente", "impayé", "pendiente", "sin pagar"),
        *("partially paid", "refund requested", "payment processing", "to be paid"),
    ),
}
NOBODY_KNOWS = (
    *("florp", "17", "status", "paid florp", "not cancelled", "refund failed", "closed", "no"),
    *("partially cancelled", "not paid, not cancelled"),
)


def read(*texts: str | None) -> list[str | None]:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return frame.select(read_status(pl.col("text"))).to_series().to_list()


@pytest.mark.parametrize(("status", "text"), [(s, t) for s, texts in WORDS.items() for t in texts])
def test_a_status_in_any_spelling(status: str, text: str) -> None:
    spellings = (text, text.upper(), text.lower(), f"wc-{text}", f" {text}! ")
    joined = tuple(text.replace(" ", mark) for mark in ("_", "-", "  "))
    assert read(*spellings, *joined) == [status] * (len(spellings) + len(joined))


@pytest.mark.parametrize("text", NOBODY_KNOWS)
def test_what_nobody_knows_is_no_status(text: str) -> None:
    assert read(text) == [None]


def test_nothing_is_no_status() -> None:
    assert read(None, "", "\\N") == [None] * 3


def test_words_without_a_gap_are_read_by_their_capitals() -> None:
    assert read("PartiallyRefunded", "AwaitingPayment", "NotPaid", "OnHold") == [
        "completed",
        *(["pending"] * 3),
    ]


@given(st.text(alphabet="bcdfghjklmnpqrtvwxyz0123456789 -", max_size=20), st.data())
@settings(deadline=None, max_examples=100)
def test_unknown_words_never_make_a_sale(noise: str, data: st.DataObject) -> None:
    known = data.draw(st.sampled_from(WORDS["completed"]))
    unknown = f"{known} qx{noise}"
    assert read(unknown) != ["completed"]


@pytest.mark.parametrize(
    ("text", "is_refund"),
    [
        *(("partially refunded", True), ("Teilerstattung", True), ("refunded", True)),
        *(("paid", False), ("cancelled", False), ("florp", False), ("", None), (None, None)),
    ],
)
def test_a_status_says_whether_money_was_given_back(text: str | None, is_refund: bool) -> None:
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    assert frame.select(names_refund(pl.col("text"))).to_series().to_list() == [is_refund]
