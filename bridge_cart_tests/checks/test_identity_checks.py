"""The checks of who is one person see what is wrong."""

from datetime import date
from typing import Any

import polars as pl

from bridge_cart_assets.checks.check import CheckContext, CheckResult
from bridge_cart_assets.checks.identities import (
    few_share_an_address,
    no_address,
    persons_are_identities,
    rows_have_their_person,
)
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.silver import IDENTITIES, PURCHASES

KEY = "0f" * 16


def identities(*rows: dict[str, Any]) -> pl.LazyFrame:
    seen = {"first_seen": date(2024, 1, 1), "reason": "own"}
    return pl.LazyFrame([seen | row for row in rows], schema=IDENTITIES.dtypes)


OWN = {"identity": "C1", "person_id": "C1", "email_key": KEY, "address_of": "profile"}
GUEST = {**OWN, "identity": f"guest-{KEY}", "reason": "email"}


def test_a_person_that_is_no_identity_is_seen() -> None:
    assert persons_are_identities(identities(OWN, GUEST)).passed
    assert not persons_are_identities(identities(GUEST)).passed
    assert not persons_are_identities(identities({**OWN, "reason": "email"})).passed


def test_an_address_in_the_place_of_a_hash_is_seen() -> None:
    assert no_address(identities(OWN, GUEST)).passed
    address = "ada@example.org"
    assert not no_address(identities({**OWN, "email_key": address})).passed
    assert not no_address(
        identities({**GUEST, "identity": f"guest-{address}"} | {"email_key": address})
    ).passed
    # A shop may use addresses as its own ids.
    assert no_address(identities({**OWN, "identity": address, "person_id": address})).passed


def test_an_address_of_six_accounts_is_told_and_one_of_five_is_not() -> None:
    accounts = [OWN | {"identity": f"m{n}", "person_id": f"m{n}"} for n in range(6)]
    assert few_share_an_address(identities(*accounts[:5], GUEST)).passed
    found = few_share_an_address(identities(*accounts))
    assert (found.passed, found.metadata["value"]) == (False, 1)
    assert found.message == (
        "1 address of more than 5 accounts; each of these 6 accounts is a customer of its own"
    )


def looked_at(line: dict[str, Any]) -> CheckResult:
    rows = {
        PURCHASES.path: pl.DataFrame([line], schema=PURCHASES.dtypes),
        IDENTITIES.path: identities(OWN, GUEST).collect(),
    }
    return rows_have_their_person(CheckContext(Lake("nowhere"), frames=rows), PURCHASES)


def test_a_line_of_another_person_is_seen() -> None:
    assert looked_at({"customer_id": "C1", "received_customer_id": "C1"}).passed
    assert looked_at({"customer_id": "C1", "email_key": KEY}).passed
    assert looked_at({"order_id": "O1"}).passed
    assert not looked_at({"customer_id": "C2", "received_customer_id": "C1"}).passed
    assert not looked_at({"customer_id": None, "email_key": KEY}).passed
    assert not looked_at({"customer_id": "C9", "received_customer_id": "C9"}).passed
