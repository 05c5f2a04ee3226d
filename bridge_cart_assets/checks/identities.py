"""The checks of who is one person.

Belongs here: silver/identities by itself, and beside the rows of silver that follow it. Does not
belong here: who is one person (`transforms.identities`).
"""

from dataclasses import dataclass

import polars as pl

from bridge_cart_assets.checks.check import CheckContext, CheckResult, nothing_off
from bridge_cart_assets.pipeline.persons import with_keys
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
    if context.days is not None:
        # Only the persons of these rows are joined, not all.
        rows = rows.collect(engine="streaming").lazy()
        named = rows.select("identity").drop_nulls().unique().collect()
        persons = with_keys(persons, named).collect(engine="streaming").lazy()
    found = rows.join(persons, on="identity", how="left").select(
        pl.len(), off=pl.col("customer_id").ne_missing(pl.col("_person")).sum()
    )
    total, off = found.collect(engine="streaming").row(0)
    return nothing_off(
        off, f"{total:,} rows, {off:,} of them with another customer than silver/identities says"
    )


@dataclass(frozen=True)
class LookedAt:
    """Rows of silver/identities that a run has touched, or all.

    Attributes:
        of_persons: identities, with all that have one of them as their person.
        of_addresses: all identities of some addresses.
    """

    of_persons: pl.LazyFrame
    of_addresses: pl.LazyFrame


def looked_at(context: CheckContext) -> LookedAt:
    """The identities that are looked at, and those that it takes to tell whether they are right."""
    rows = context.rows(IDENTITIES).select("identity", "person_id", "reason", "email_key")
    changed = context.changed(IDENTITIES)
    if changed is None:
        return LookedAt(rows, rows)
    both = changed.both
    names = pl.concat([both["identity"], both["person_id"]]).unique().implode()
    keys = both["email_key"].drop_nulls().unique().implode()
    is_of_person = pl.col("identity").is_in(names) | pl.col("person_id").is_in(names)
    is_of_address = pl.col("email_key").is_in(keys)
    version = context.lake.snapshot(IDENTITIES).version
    near = context.once(
        ("identities", version),
        lambda: rows.filter(is_of_person | is_of_address).collect(engine="streaming"),
    ).lazy()
    return LookedAt(near.filter(is_of_person), near.filter(is_of_address))


def persons_are_identities(identities: pl.LazyFrame) -> CheckResult:
    """Each person is one of the identities, and its own person."""
    is_own = pl.col("identity") == pl.col("person_id")
    own = identities.filter(is_own).select("person_id")
    is_wrong = is_own != (pl.col("reason") == "own")
    counts = identities.select(pl.len(), own=is_own.sum(), wrong=is_wrong.sum())
    nowhere = identities.select("person_id").join(own, on="person_id", how="anti").select(pl.len())
    total, persons, wrong = counts.collect(engine="streaming").row(0)
    off = nowhere.collect(engine="streaming").item()
    return nothing_off(
        off + wrong,
        f"{total:,} identities of {persons:,} persons; {off:,} of a person "
        f"that is none, {wrong:,} with the wrong reason",
        persons=persons,
    )


def no_address(identities: pl.LazyFrame) -> CheckResult:
    """Of an address there is its keyed hash only."""
    hashed = pl.col("email_key")
    is_hash = hashed.str.contains(_HASH)
    guest = is_guest() & pl.col("identity").str.contains("@", literal=True)
    is_off = hashed.is_not_null() & (~is_hash | guest)
    off = identities.select(is_off.sum()).collect(engine="streaming").item()
    return nothing_off(off, f"{off:,} keys that are no keyed hash of an address")


def few_share_an_address(identities: pl.LazyFrame) -> CheckResult:
    """No address belongs to so many accounts that it cannot be one person's."""
    shared = (
        identities.filter(pl.col("email_key").is_not_null(), ~is_guest())
        .group_by("email_key")
        .agg(accounts=pl.len())
        .filter(pl.col("accounts") > MOST_ACCOUNTS)
        .collect(engine="streaming")
    )
    accounts = int(shared["accounts"].sum())
    noun = "address" if shared.height == 1 else "addresses"
    return CheckResult(
        shared.is_empty(),
        f"{shared.height:,} {noun} of more than {MOST_ACCOUNTS} accounts; each of these "
        f"{accounts:,} accounts is a customer of its own",
        {"value": shared.height, "bound": 0, "accounts": accounts},
    )
