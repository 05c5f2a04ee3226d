"""silver/identities: bring it up to date, and find which rows of silver have another person now.

Silver follows identities as gold follows silver. `followed` is the version of silver/identities
whose persons all lines and profiles have. It is recorded at the end of a run, and what was
committed to silver/identities since is looked at again. So a run may die between the two.

Belongs here: reading and writing silver/identities. Does not belong here: who is one person
(`transforms.identities`), or writing the rows that follow (`fold`).
"""

import hmac
from collections.abc import Collection
from dataclasses import dataclass, replace

import polars as pl

from bridge_cart_assets.lake.changes import diff
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import FeedGoneError, Snapshot
from bridge_cart_assets.pipeline.hash_key import HashKeyError
from bridge_cart_assets.tables.ops import ERASED
from bridge_cart_assets.tables.silver import IDENTITIES
from bridge_cart_assets.transforms.addresses import address_key
from bridge_cart_assets.transforms.folding import PURCHASE_KEY
from bridge_cart_assets.transforms.identities import (
    ADDRESS_OF_LINE,
    identity_of_line,
    latest_addresses,
    members,
    named_identities,
    persons,
    with_stored,
)

FOLLOWED = "bridge-cart/followed"
# Tells one key from another without telling the key; 0 without one.
HASH_KEY = "bridge-cart/hash-key"
# After a rebuild has emptied the table any key will do.
ANY_KEY = -1
_MEMBER = ["identity", "first_seen", "email_key", "address_of"]


@dataclass
class Following:
    """What a run knows of persons.

    Attributes:
        hash_key: the key of the addresses' hashes; without one each customer_id is a person.
        followed: the version of silver/identities whose persons all rows of silver have; None when
            it is unknown.
    """

    hash_key: bytes | None
    followed: int | None

    @classmethod
    def of(cls, identities: Snapshot, hash_key: bytes | None) -> "Following":
        """For a run that begins now.

        Raises:
            HashKeyError: silver was made with another key.
        """
        if identities.transaction(HASH_KEY) not in (None, ANY_KEY, number_of_key(hash_key)):
            raise HashKeyError(
                "the key of the addresses' hashes is not the one that silver was made with: put "
                "the identity.key of the data folder back, or bridge-cart rebuild"
            )
        return cls(hash_key, identities.transaction(FOLLOWED))


def refuse_other_key(lake: Lake, hash_key: bytes | None) -> None:
    """Refuse a key by which records of persons who were erased would not be recognised.

    Raises:
        HashKeyError: it is another one than when they were erased.
    """
    known_by = lake.snapshot(ERASED).transaction(HASH_KEY)
    if hash_key is not None and known_by not in (None, number_of_key(hash_key)):
        raise HashKeyError(
            "the key of the hashes is not the one by which erased persons are recognised: put the "
            "identity.key of the data folder back"
        )


def number_of_key(hash_key: bytes | None) -> int:
    """A number by which a key can be recognised; 0 without one."""
    if hash_key is None:
        return 0
    return 1 + int(hmac.digest(hash_key, b"bridge-cart identities", "sha256").hex()[:12], 16)


@dataclass(frozen=True)
class FoldedLines:
    """The order lines of a fold.

    Attributes:
        records: customer_id as received, email_key and batch_day of all records of these lines.
        current: the columns of `ADDRESS_OF_LINE` of those of them that stand now.
        before: those that stood, as silver/purchases has them.
    """

    records: pl.DataFrame
    current: pl.DataFrame
    before: pl.DataFrame


@dataclass(frozen=True)
class FoundPersons:
    """What became of the identities.

    Attributes:
        moved: identity and person_id: identities whose rows in silver may have another person than
            they should, each with all persons that it had since.
        is_changed: whether rows of silver/identities were written.
        has_read_lines: whether lines of other orders were read.
    """

    moved: pl.DataFrame
    is_changed: bool
    has_read_lines: bool


def update_identities(
    at: Snapshot,
    lines_at: Snapshot,
    lines: FoldedLines,
    profiles: pl.DataFrame,
    hash_key: bytes | None,
    commit: Commit,
    recounted: Collection[str] = (),
) -> FoundPersons:
    """Bring silver/identities up to date with some records.

    Args:
        at: silver/identities; the write moves it on.
        lines_at: silver/purchases before the fold.
        lines: the lines of the fold.
        profiles: all records of some accounts, customer_id as received.
        hash_key: the key of the addresses' hashes, if there is one.
        commit: what is written down with the rows.
        recounted: identities of which records have gone, and all that are left are among `lines`
            and `profiles`: what is stored of them counts no more, and one without a record goes.
    """
    keyed = profiles.with_columns(email_key=address_key(pl.col("email"), hash_key))
    named = named_identities(lines.records, keyed)
    again = pl.DataFrame({"identity": list(recounted)}, schema={"identity": pl.String})
    stored = rows_with_keys(at, pl.concat([named.select("identity"), again]).unique())
    gone = stored.join(named, on="identity", how="anti")
    beside = with_stored(named, stored.join(again, on="identity", how="anti"))
    by_orders = beside.filter("by_orders")["identity"]
    elsewhere = _addressed_lines(lines_at, by_orders).join(
        lines.before, on=PURCHASE_KEY, how="anti"
    )
    standing = pl.concat(rows.select(ADDRESS_OF_LINE) for rows in (lines.current, elsewhere))
    now = members(beside, latest_addresses(standing))
    changed = now.join(stored, on=_MEMBER, how="anti", nulls_equal=True)
    earlier = pl.concat([stored.join(changed, on="identity", how="semi"), gone])
    keys = pl.concat([changed.select("email_key"), earlier.select("email_key")])
    sharing = rows_with_keys(at, keys.drop_nulls().unique())
    rows_before = pl.concat([earlier, sharing.join(earlier, on="identity", how="anti")])
    left = pl.concat([changed.select("identity"), gone.select("identity")])
    others = rows_before.join(left, on="identity", how="anti").select(_MEMBER)
    rows_after = persons(pl.concat([changed, others]))
    change = diff(IDENTITIES, rows_before, rows_after)
    number = {HASH_KEY: number_of_key(hash_key)}
    at.apply(change, replace(commit, transactions=number))
    return FoundPersons(_moved(rows_before, rows_after), not change.is_empty, bool(by_orders.len()))


def _addressed_lines(lines_at: Snapshot, accounts: pl.Series) -> pl.DataFrame:
    """The lines with an address of some accounts, customer_id as received."""
    rows = lines_at.scan() if accounts.len() else lines_at.table.empty().lazy()
    return as_received(
        rows.filter(
            pl.col("received_customer_id").is_in(accounts.implode()),
            pl.col("email_key").is_not_null(),
        ).collect()
    )


def _moved(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """The identities that have another person than before, with both.

    One that was not there has no rows yet: they are written after it.
    """
    both = after.select("identity", "person_id").join(
        before.select("identity", _before="person_id"), on="identity"
    )
    moved = both.filter(pl.col("person_id") != pl.col("_before"))
    was = moved.select("identity", person_id="_before")
    return pl.concat([moved.select("identity", "person_id"), was])


def moved_since(
    at: Snapshot, followed: int | None, lines_at: Snapshot, profiles_at: Snapshot
) -> pl.DataFrame:
    """The identities that silver may not follow yet, with all persons that they had since.

    Args:
        at: silver/identities.
        followed: the version that silver follows, if it is known.
        lines_at, profiles_at: silver/purchases and silver/customers.
    """
    if followed is not None:
        try:
            return _moved_in(at.change_feed(followed))
        except FeedGoneError:
            pass  # all rows are looked at instead
    return _misplaced(at, lines_at, profiles_at)


def _moved_in(feed: pl.DataFrame) -> pl.DataFrame:
    """The identities that have had several persons in a change feed, with all of them."""
    had = feed.select("identity", "person_id").unique()
    return had.filter(pl.len().over("identity") > 1)


def _misplaced(at: Snapshot, lines_at: Snapshot, profiles_at: Snapshot) -> pl.DataFrame:
    """The identities of which a row has another person than it should, with those persons."""
    person_of = at.scan().select("identity", _person="person_id")
    of_lines = lines_at.scan().select(
        "customer_id", identity=identity_of_line("received_customer_id")
    )
    of_profiles = profiles_at.scan().select("customer_id", identity="received_customer_id")
    return (
        pl.concat([of_lines, of_profiles])
        .unique()
        .join(person_of, on="identity", how="left")
        .filter(pl.col("customer_id").ne_missing(pl.coalesce("_person", "identity")))
        .select("identity", person_id="customer_id")
        .collect()
    )


def person_of(at: Snapshot, identities: pl.DataFrame) -> pl.DataFrame:
    """The person of each of some identities: identity, person_id; those that are not stored too."""
    stored = rows_with_keys(at, identities).select("identity", _person="person_id")
    return identities.join(stored, on="identity", how="left").select(
        "identity", person_id=pl.coalesce("_person", "identity")
    )


def as_received(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of silver/purchases or silver/customers with customer_id as received."""
    return rows.drop("customer_id").rename({"received_customer_id": "customer_id"})


def rows_with_keys(snapshot: Snapshot, keys: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table that have one of the keys."""
    if snapshot.version is None or not keys.height:
        return snapshot.table.empty()
    return with_keys(snapshot.scan(), keys).collect()


def with_keys(rows: pl.LazyFrame, keys: pl.DataFrame) -> pl.LazyFrame:
    """Those of some rows that have one of the keys, which may have nulls.

    The range of the keys lets Parquet statistics skip what cannot match, most of the table when
    ids grow with time.
    """
    widest = keys.columns[1] if len(keys.columns) > 1 else keys.columns[0]
    if keys.height and not keys[widest].null_count():
        low, high = keys[widest].min(), keys[widest].max()
        rows = rows.filter(pl.col(widest).is_between(pl.lit(low), pl.lit(high)))
    return rows.join(keys.lazy(), on=keys.columns, how="semi", nulls_equal=True)
