"""The fold of cleaned records into silver/purchases, silver/customers and silver/identities.

One fold writes several tables, one commit each. A run can die between two commits, and another run
can come between them. Hence these rules:

- Insert a record into its new table before deleting it from the old one. A crash in between leaves
  a duplicate, which the next fold removes; it never loses the record.
- A fold that changes superseded records also commits to the current ones, even without a change of
  rows. A run that took its snapshot of them earlier is then refused and takes another.
- silver/identities is opened after the tables that follow it and written before them. So rows that
  a run writes are no older than what the others of their table follow.
- A fold that changes identities also commits to the tables that it has read for that, and, where a
  person has changed, to all that follow.

Belongs here: which rows a fold reads, and the order of its commits. Does not belong here: which
record stands (`transforms.folding`), or who is one person (`transforms.identities`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from bridge_cart_assets.lake.changes import diff
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.pipeline.persons import (
    FoldedLines,
    Following,
    as_received,
    moved_since,
    person_of,
    rows_with_keys,
    update_identities,
)
from bridge_cart_assets.pipeline.spread_silver import FirstLines
from bridge_cart_assets.tables.silver import (
    CUSTOMER_REPEATS,
    CUSTOMERS,
    IDENTITIES,
    PURCHASE_REPEATS,
    PURCHASES,
)
from bridge_cart_assets.transforms.folding import (
    ORDER_KEY,
    PURCHASE_KEY,
    Folded,
    WholeOrder,
    fold_customers,
    fold_purchases,
)
from bridge_cart_assets.transforms.identities import GUEST, identity_of_line

_RECEIVED = "received_customer_id"


@dataclass(frozen=True)
class FoldResult:
    """What a fold has done.

    Attributes:
        touched: sources and batch days whose counts may have changed.
        followed: the version of silver/identities that silver follows now.
    """

    touched: set[tuple[str, date]]
    followed: int | None


@dataclass(frozen=True)
class RecordSet:
    """Accepted records, as silver keeps them.

    Attributes:
        lines: order lines, customer_id as received.
        profiles: profiles, customer_id as received.
    """

    lines: pl.DataFrame = field(default_factory=lambda: PURCHASE_REPEATS.empty().drop("fate"))
    profiles: pl.DataFrame = field(default_factory=lambda: CUSTOMER_REPEATS.empty().drop("fate"))

    @property
    def identities(self) -> pl.Series:
        """Whose they are."""
        of_lines = self.lines.select(identity=identity_of_line())
        of_profiles = self.profiles.select(identity="customer_id")
        return pl.concat([of_lines, of_profiles]).drop_nulls().unique()["identity"]


@dataclass(frozen=True)
class _Place:
    """A table of current records and the table of its superseded ones, opened in this order.

    A record that another run moves meanwhile is seen twice and not missed.
    """

    current_at: Snapshot
    superseded_at: Snapshot

    def keys(self, records: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
        """The keys of records that rows may have: none while there are no rows."""
        keys = records.select(key)
        has_rows = self.current_at.rows or self.superseded_at.rows
        return keys.unique() if has_rows else keys.clear()

    def rows(self, current_keys: pl.DataFrame, superseded_keys: pl.DataFrame) -> Folded:
        """The rows that have one of the keys."""
        return Folded(
            rows_with_keys(self.current_at, current_keys),
            rows_with_keys(self.superseded_at, superseded_keys),
        )

    def of_accounts(self, accounts: pl.DataFrame) -> Folded:
        """The profiles of some accounts."""
        return self.rows(accounts.rename({"customer_id": _RECEIVED}), accounts)

    def left_of(self, identities: pl.Series, gone: pl.DataFrame) -> pl.DataFrame:
        """The order lines of some identities, customer_id as received, without those that go."""
        current = as_received(_lines_of(self.current_at, identities)).select(gone.columns)
        superseded = _lines_of(self.superseded_at, identities, "customer_id").select(gone.columns)
        return without(pl.concat([current, superseded]), gone)

    def write(self, before: Folded, after: Folded, commit: Commit, *, even_if_empty: bool) -> None:
        """Make rows `before` rows `after`, in up to three commits."""
        superseded = diff(self.superseded_at.table, before.superseded, after.superseded)
        current = diff(self.current_at.table, before.current, after.current)
        nothing = self.superseded_at.table.empty()
        must_commit = even_if_empty or not superseded.is_empty
        self.superseded_at.apply(replace(superseded, deletes=nothing), commit)
        self.current_at.apply(current, commit, even_if_empty=must_commit)
        self.superseded_at.apply(replace(superseded, inserts=nothing, updates=nothing), commit)


def fold_records(
    lake: Lake,
    lines: pl.DataFrame,
    profiles: pl.DataFrame,
    following: Following,
    commit: Commit,
    whole_order_in: WholeOrder | None = None,
    first_lines: FirstLines | None = None,
    gone: RecordSet | None = None,
) -> FoldResult:
    """Fold records into silver, and let silver follow the identities that they change.

    Args:
        lake: the tables.
        lines: accepted order lines, customer_id as received.
        profiles: accepted profiles, customer_id as received.
        following: what the run knows of persons.
        commit: what is written down with the rows.
        whole_order_in: what holds all lines of an order.
        first_lines: in the place of `lines`, all lines of a source that an engine has folded.
        gone: records that are taken out of silver.

    Raises:
        NotFirstError: silver has lines of that source.
        CommitConflictError: another run came between; whatever is written by then, the fold can be
            done again.
    """
    of_lines = _Place(lake.snapshot(PURCHASES), lake.snapshot(PURCHASE_REPEATS))
    of_profiles = _Place(lake.snapshot(CUSTOMERS), lake.snapshot(CUSTOMER_REPEATS))
    identities_at = lake.snapshot(IDENTITIES)

    key = ORDER_KEY if whole_order_in is not None else PURCHASE_KEY
    gone = gone or RecordSet()
    concerned = gone.identities
    keys = of_lines.keys(pl.concat([lines.select(key), gone.lines.select(key)]), key)
    lines_before = of_lines.rows(keys, keys)
    line_records = _records(lines, lines_before, gone.lines)
    folded = fold_purchases(line_records, whole_order_in)

    accounts = of_profiles.keys(
        pl.concat([profiles.select("customer_id"), concerned.rename("customer_id").to_frame()]),
        ("customer_id",),
    )
    profiles_before = of_profiles.of_accounts(accounts)
    earlier = moved_since(
        identities_at, following.followed, of_lines.current_at, of_profiles.current_at
    )
    found = update_identities(
        identities_at,
        of_lines.current_at,
        FoldedLines(
            pl.concat([line_records, of_lines.left_of(concerned, gone.lines)]),
            folded.current,
            lines_before.current,
        )
        if first_lines is None
        else FoldedLines(first_lines.records, first_lines.addressed, lines_before.current),
        _records(profiles, profiles_before, gone.profiles),
        following.hash_key,
        commit,
        concerned.to_list(),
    )
    moved = pl.concat([earlier, found.moved]).unique()
    is_moved = moved.height > 0

    if first_lines is not None:
        others = _not_own(identities_at)
        first_lines.write(lake, of_lines.current_at, of_lines.superseded_at, others, commit)
    has_read_lines = found.is_changed and (lines.height > 0 or found.has_read_lines)
    if lines.height or gone.lines.height or is_moved or has_read_lines:
        _write_lines(
            *(of_lines, identities_at, lines_before, folded, moved, commit),
            even_if_empty=is_moved or has_read_lines,
        )
    touched = _origins(folded)
    if profiles.height or concerned.len() or is_moved:
        touched |= _fold_profiles(
            *(of_profiles, identities_at, profiles, profiles_before, moved, commit),
            gone=gone.profiles,
            accounts=accounts,
            even_if_empty=is_moved or found.is_changed,
        )
    return FoldResult(touched, identities_at.version)


def _not_own(identities_at: Snapshot) -> pl.DataFrame:
    """The person of each identity that is not a person of its own."""
    rows = identities_at.scan().filter(pl.col("person_id") != pl.col("identity"))
    return rows.select("identity", "person_id").collect()


def _records(accepted: pl.DataFrame, before: Folded, gone: pl.DataFrame) -> pl.DataFrame:
    """All records of some keys, customer_id as received; the same one may occur twice."""
    columns = accepted.columns
    current = as_received(before.current).select(columns)
    stored = pl.concat([current, before.superseded.select(columns)])
    return pl.concat([accepted, without(stored, gone.select(columns))])


def without(records: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """The records that are not among those that go."""
    if not gone.height:
        return records
    return records.join(gone, on=records.columns, how="anti", nulls_equal=True)


def _write_lines(
    place: _Place,
    identities_at: Snapshot,
    before: Folded,
    folded: Folded,
    moved: pl.DataFrame,
    commit: Commit,
    *,
    even_if_empty: bool,
) -> None:
    """Write the lines of a fold, and all lines of identities that have another person now.

    Args:
        place: the two tables.
        identities_at: who is one person.
        before: what the tables have of the lines.
        folded: what they should have, customer_id as received.
        moved: identities that have or had another person.
        commit: what is written down with the rows.
        even_if_empty: whether to commit without a change of rows.
    """
    elsewhere = _lines_of(place.current_at, moved["identity"]).join(
        before.current, on=PURCHASE_KEY, how="anti"
    )
    columns = folded.current.columns
    after = pl.concat([folded.current, as_received(elsewhere).select(columns)])
    place.write(
        replace(before, current=pl.concat([before.current, elsewhere])),
        replace(folded, current=_with_persons(after, identities_at)),
        commit,
        even_if_empty=even_if_empty,
    )


def _lines_of(lines_at: Snapshot, identities: pl.Series, received: str = _RECEIVED) -> pl.DataFrame:
    """The lines of some identities; `received` is the column with the customer_id as received."""
    if not identities.len():
        return lines_at.table.empty()
    names = identities.unique()
    guests = names.filter(names.str.starts_with(GUEST)).str.strip_prefix(GUEST)
    account = pl.col(received)
    of_account = account.is_in(names.implode())
    of_guest = account.is_null() & pl.col("email_key").is_in(guests.implode())
    return lines_at.scan().filter(of_account | of_guest).collect()


def _with_persons(lines: pl.DataFrame, identities_at: Snapshot) -> pl.DataFrame:
    """Rows of silver/purchases of lines with customer_id as received."""
    named = lines.rename({"customer_id": _RECEIVED}).with_columns(
        identity=identity_of_line(_RECEIVED)
    )
    persons = person_of(identities_at, named.select("identity").drop_nulls().unique())
    return named.join(persons, on="identity", how="left").rename({"person_id": "customer_id"})


def _fold_profiles(
    place: _Place,
    identities_at: Snapshot,
    accepted: pl.DataFrame,
    before: Folded,
    moved: pl.DataFrame,
    commit: Commit,
    *,
    gone: pl.DataFrame,
    accounts: pl.DataFrame,
    even_if_empty: bool,
) -> set[tuple[str, date]]:
    """Fold the profiles of all accounts of the persons concerned, as if each person were one.

    Args:
        place: the two tables.
        identities_at: who is one person.
        accepted: profiles that have come.
        before: what the tables have of their accounts.
        moved: identities that have or had another person.
        commit: what is written down with the rows.
        gone: profiles that are taken out.
        accounts: the accounts of `before`.
        even_if_empty: whether to commit without a change of rows.

    Returns:
        Sources and batch days whose counts may have changed.
    """
    accounts = pl.concat([accepted.select("customer_id"), accounts]).unique()
    accounts = accounts.rename({"customer_id": "identity"})
    concerned = pl.concat([accounts, moved.select("identity")]).unique()
    persons = pl.concat([person_of(identities_at, concerned), moved])
    of_persons = rows_with_keys(identities_at, persons.select("person_id").unique())
    members = pl.concat(
        [of_persons.select("identity", "person_id"), person_of(identities_at, concerned)]
    ).unique("identity")
    others = members.join(accounts, on="identity", how="anti").select(customer_id="identity")
    more = place.of_accounts(others)
    both = Folded(
        pl.concat([before.current, more.current]), pl.concat([before.superseded, more.superseded])
    )
    records = _records(accepted, both, gone).rename({"customer_id": _RECEIVED})
    owned = records.join(
        members.rename({"identity": _RECEIVED, "person_id": "customer_id"}), on=_RECEIVED
    )
    folded = fold_customers(owned)
    superseded = folded.superseded.drop("customer_id").rename({_RECEIVED: "customer_id"})
    place.write(both, replace(folded, superseded=superseded), commit, even_if_empty=even_if_empty)
    return _origins(folded)


def _origins(folded: Folded) -> set[tuple[str, date]]:
    origin = ["source", "batch_day"]
    both = pl.concat([folded.current.select(origin), folded.superseded.select(origin)])
    return set(both.unique().iter_rows())
