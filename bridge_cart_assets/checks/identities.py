"""The checks of who is one person.

Belongs here: silver/identities by itself, and beside the rows of silver that follow it. Does not
belong here: who is one person (`transforms.identities`).
"""

import polars as pl

from bridge_cart_assets.checks.check import CheckContext, CheckResult, nothing_off
from bridge_cart_assets.tables.silver import IDENTITIES, PURCHASES
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.identities import (
    MOST_ACCOUNTS,
    identity_of_line,
    is_guest,
)

_RECEIVED = "received_customer_id"
_HASH = r"^[0-9a-f]{32}$"


def rows_have_their_person(context: CheckContext, table: Table) -> CheckResult:
    """The customer_id of each row is the person of the identity that the record names.

    Args:
        context: what may be looked at.
        table: silver/purchases or silver/customers.
    """
    identity = identity_of_line(_RECEIVED) if table is PURCHASES else pl.col(_RECEIVED)
    rows = context.of_days(table).select("customer_id", identity=identity)
    persons = context.rows(IDENTITIES).select("identity", _person="person_id")
    found = rows.join(persons, on="identity", how="left").select(
        pl.len(), off=pl.col("customer_id").ne_missing(pl.col("_person")).sum()
    )
    total, off = found.collect().row(0)
    return nothing_off(
        off, f"{total:,} rows, {off:,} of them with another customer than silver/identities says"
    )


def persons_are_identities(identities: pl.DataFrame) -> CheckResult:
    """Each person is one of the identities, and its own person."""
    own = identities.filter(pl.col("identity") == pl.col("person_id")).select("person_id")
    off = identities.join(own, on="person_id", how="anti")
    reasons = (pl.col("identity") == pl.col("person_id")) != (pl.col("reason") == "own")
    wrong = identities.filter(reasons).height
    return nothing_off(
        off.height + wrong,
        f"{identities.height:,} identities of {own.height:,} persons; {off.height:,} of a person "
        f"that is none, {wrong:,} with the wrong reason",
        persons=own.height,
    )


def no_address(identities: pl.DataFrame) -> CheckResult:
    """Of an address there is its keyed hash only."""
    hashed = pl.col("email_key")
    is_hash = hashed.str.contains(_HASH)
    guest = is_guest() & pl.col("identity").str.contains("@")
    off = identities.filter(hashed.is_not_null() & (~is_hash | guest)).height
    return nothing_off(off, f"{off:,} keys that are no keyed hash of an address")


def few_share_an_address(identities: pl.DataFrame) -> CheckResult:
    """No address belongs to so many accounts that it cannot be one person's."""
    shared = (
        identities.filter(pl.col("email_key").is_not_null(), ~is_guest())
        .group_by("email_key")
        .agg(accounts=pl.len())
        .filter(pl.col("accounts") > MOST_ACCOUNTS)
    )
    accounts = int(shared["accounts"].sum())
    noun = "address" if shared.height == 1 else "addresses"
    return CheckResult(
        shared.is_empty(),
        f"{shared.height:,} {noun} of more than {MOST_ACCOUNTS} accounts; each of these "
        f"{accounts:,} accounts is a customer of its own",
        {"value": shared.height, "bound": 0, "accounts": accounts},
    )
