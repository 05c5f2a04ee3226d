"""What is stored about a person: whose ids and addresses these are, and which records have them.

Belongs here: the one answer that `export` and `erase` share. Does not belong here: showing it
(`person_data`) or taking it away (`erasure`).

A person is all accounts and guests of silver/identities that have one person_id. What names them in
files and logs is found in their raw records, because silver has guests' addresses as hashes only.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from bridge_cart_assets.ingestion.erased_records import ErasedNames
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import ObjectStore
from bridge_cart_assets.pipeline.cleaned_records import batches
from bridge_cart_assets.pipeline.pending import arrived_days
from bridge_cart_assets.pipeline.progress import ProgressCallback, silent
from bridge_cart_assets.pipeline.retracted_persons import RetractedPersons, find_in_retracted
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.silver import (
    CUSTOMER_REPEATS,
    CUSTOMERS,
    IDENTITIES,
    PURCHASE_REPEATS,
    PURCHASES,
)
from bridge_cart_assets.transforms.addresses import address_key, read_email
from bridge_cart_assets.transforms.erased_names import (
    ACCOUNT,
    ADDRESS,
    ORDER,
    name_key,
)
from bridge_cart_assets.transforms.identities import GUEST
from bridge_cart_assets.transforms.ids import tidy_id

_PART_RECORDS = 200_000
# Shorter texts stand in any log, whoever it speaks of.
_SHORTEST_NAME = 4
_PLACE = {"source": pl.String, "fingerprint": pl.String, "pos": pl.Int64}


class UnknownPersonError(LookupError):
    """Nothing is stored about a person; the message says so."""


@dataclass
class PersonIndex:
    """What names some persons, and where their records are.

    Attributes:
        persons: their person_ids.
        identities: their accounts and guests.
        accounts: the customer_ids among them.
        addresses: addresses of e-mail that are theirs alone.
        orders: orders that are theirs alone, as (source, order_id).
        texts: what else names them: full names and telephone numbers, as they are written.
        days: by source, the batch days that have records of theirs.
        fingerprints: the files and topic-partitions of these records.
        records: by source, how many records of raw are theirs.
        places: source, fingerprint and pos of each of them.
    """

    persons: set[str] = field(default_factory=set)
    identities: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    orders: set[tuple[str, str]] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    days: dict[str, set[date]] = field(default_factory=dict)
    fingerprints: set[str] = field(default_factory=set)
    records: dict[str, int] = field(default_factory=dict)
    places: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_PLACE))

    def names(self, hash_key: bytes) -> ErasedNames:
        """By which their records are recognised."""
        by_kind = {
            ACCOUNT: self.accounts,
            ADDRESS: self.addresses,
            ORDER: {f"{source}/{order_id}" for source, order_id in self.orders},
        }
        keys = {
            kind: {name_key(kind, name, hash_key) for name in names}
            for kind, names in by_kind.items()
            if names
        }
        return ErasedNames(keys, hash_key)

    @property
    def words(self) -> list[str]:
        """Every text by which a log could name them, the longest first."""
        orders = {order_id for _, order_id in self.orders}
        words = self.identities | self.addresses | orders | self.texts
        return sorted((w for w in words if w), key=lambda word: (-len(word), word))


def find_persons(
    lake: Lake,
    ids: Collection[str],
    hash_key: bytes,
    progress: ProgressCallback = silent,
    landing: Path | ObjectStore | None = None,
) -> PersonIndex:
    """What names the persons who have some ids, and where their records are.

    Args:
        lake: the tables.
        ids: customer_ids as received, person_ids or guests' keys.
        hash_key: the key of the addresses' hashes.
        progress: gets a line now and then.
        landing: where files that were taken back lie, which may be all that knows of a person.

    Raises:
        UnknownPersonError: nothing is stored about one of them.
    """
    identities = lake.snapshot(IDENTITIES).read()
    wanted = list(ids)
    named = identities.filter(pl.col("identity").is_in(wanted) | pl.col("person_id").is_in(wanted))
    known = {*named["identity"], *named["person_id"]}
    unknown = [one for one in wanted if one not in known]
    elsewhere = RetractedPersons()
    if unknown and landing is not None:
        elsewhere = find_in_retracted(landing, unknown, hash_key)
        unknown = [one for one in unknown if one not in elsewhere.accounts]
    if unknown:
        more = f" and {len(unknown) - 1:,} more of {len(wanted):,}" if len(unknown) > 1 else ""
        raise UnknownPersonError(f"nothing is stored about a customer {unknown[0]!r}{more}")
    theirs = identities.join(named.select("person_id").unique(), on="person_id", how="semi")
    index = PersonIndex(
        persons={*theirs["person_id"], *elsewhere.accounts},
        identities={*theirs["identity"], *elsewhere.accounts},
        texts={text for text in elsewhere.texts if len(text) >= _SHORTEST_NAME},
    )
    index.accounts = {i for i in index.identities if not i.startswith(GUEST)}
    lines, profiles = _lines_of(lake, index.identities), _profiles_of(lake, index.accounts)
    orders = {*lines.select("source", "order_id").iter_rows(), *elsewhere.orders}
    index.orders = _own_orders(lake, orders, index.identities)
    written = pl.DataFrame({"email": sorted(elsewhere.addresses)}, schema={"email": pl.String})
    profiles = pl.concat([profiles, written])
    index.addresses = _own_addresses(lake, index, theirs, identities, lines, profiles, hash_key)
    for source in SOURCES:
        for _, rows in records_of(lake, source, index.names(hash_key), progress=progress):
            _add_records(index, source, rows)
    return index


def records_of(
    lake: Lake,
    source: Source,
    names: ErasedNames,
    days: Collection[date] | None = None,
    progress: ProgressCallback = silent,
) -> Iterator[tuple[Sequence[date], pl.DataFrame]]:
    """The raw records of some persons, some batch days at a time.

    Args:
        lake: the tables.
        source: whose records.
        names: the persons.
        days: only these batch days.
        progress: gets a line for every part.
    """
    snapshot = lake.snapshot(source.raw)
    arrived = arrived_days(lake, source)
    for part in batches(arrived, arrived if days is None else days, _PART_RECORDS):
        rows = snapshot.scan().filter(pl.col("_batch_day").is_in(part)).collect()
        found = rows.filter(names.among(rows, source))
        progress(f"{source.raw.path}: looking for their records, up to {max(part)}")
        if found.height:
            yield part, found


def _lines_of(lake: Lake, identities: Collection[str]) -> pl.DataFrame:
    """Order lines of some identities, standing or not: where they came from, and their order."""
    guests = [i.removeprefix(GUEST) for i in identities if i.startswith(GUEST)]
    columns = ["source", "order_id", "fingerprint", "pos", "batch_day"]
    found = []
    for table, account in ((PURCHASES, "received_customer_id"), (PURCHASE_REPEATS, "customer_id")):
        is_of_account = pl.col(account).is_in(list(identities))
        is_of_guest = pl.col(account).is_null() & pl.col("email_key").is_in(guests)
        rows = lake.snapshot(table).scan().filter(is_of_account | is_of_guest)
        found.append(rows.select(columns).collect())
    return pl.concat(found)


def _profiles_of(lake: Lake, accounts: Collection[str]) -> pl.DataFrame:
    """Addresses on the profiles of some accounts, standing or not."""
    tables = ((CUSTOMERS, "received_customer_id"), (CUSTOMER_REPEATS, "customer_id"))
    return pl.concat(
        lake.snapshot(table)
        .scan()
        .filter(pl.col(account).is_in(list(accounts)))
        .select("email")
        .collect()
        for table, account in tables
    )


def _own_orders(
    lake: Lake, orders: set[tuple[str, str]], identities: Collection[str]
) -> set[tuple[str, str]]:
    """Those orders, as (source, order_id), of which no line is somebody else's."""
    named = pl.LazyFrame(
        sorted(orders), schema={"source": pl.String, "order_id": pl.String}, orient="row"
    )
    guests = [i.removeprefix(GUEST) for i in identities if i.startswith(GUEST)]
    others: set[tuple[str, str]] = set()
    for table, account in ((PURCHASES, "received_customer_id"), (PURCHASE_REPEATS, "customer_id")):
        of_orders = lake.snapshot(table).scan().join(named, on=["source", "order_id"], how="semi")
        name = pl.col(account)
        of_another = (name.is_not_null() & ~name.is_in(list(identities))) | (
            name.is_null() & pl.col("email_key").is_not_null() & ~pl.col("email_key").is_in(guests)
        )
        found = of_orders.filter(of_another.fill_null(False)).select("source", "order_id")
        others |= set(found.unique().collect().iter_rows())
    return orders - others


def _own_addresses(
    lake: Lake,
    index: PersonIndex,
    theirs: pl.DataFrame,
    identities: pl.DataFrame,
    lines: pl.DataFrame,
    profiles: pl.DataFrame,
    hash_key: bytes,
) -> set[str]:
    """The addresses of some persons, without those that others have too."""
    candidates = {*profiles["email"].drop_nulls()}
    keys = theirs["email_key"].drop_nulls().unique()
    if keys.len():
        candidates |= _addresses_with(lake, lines, keys, hash_key)
    names = pl.DataFrame({"email": sorted(candidates)}, schema={"email": pl.String})
    hashed = names.with_columns(email_key=address_key(pl.col("email"), hash_key))
    others = identities.join(theirs, on="identity", how="anti")["email_key"].drop_nulls()
    of_others = (
        lake.snapshot(CUSTOMERS)
        .scan()
        .filter(
            pl.col("email").is_in(sorted(candidates)),
            pl.col("is_current"),
            ~pl.col("received_customer_id").is_in(list(index.accounts)),
        )
        .select("email")
        .collect()["email"]
    )
    is_shared = pl.col("email_key").is_in(others.implode()) | pl.col("email").is_in(
        of_others.implode()
    )
    return {*hashed.filter(~is_shared)["email"]}


def _addresses_with(lake: Lake, lines: pl.DataFrame, keys: pl.Series, hash_key: bytes) -> set[str]:
    """The addresses in the raw records of order lines that have one of some hashes."""
    found: set[str] = set()
    for source in SOURCES:
        of_source = lines.filter(pl.col("source") == source.name)
        if not of_source.height:
            continue
        records = of_source.select(_fingerprint="fingerprint", _pos="pos").unique()
        rows = (
            lake.snapshot(source.raw)
            .scan()
            .filter(pl.col("_batch_day").is_in(of_source["batch_day"].unique().implode()))
            .filter(pl.col("_fingerprint").is_in(records["_fingerprint"].unique().implode()))
        )
        # A source may write the address on the first line of an order only: whole files.
        conformed = source.conform(rows.collect().filter(pl.col("_status") == "ok").lazy())
        if conformed.purchases is None:
            continue
        addresses = conformed.purchases.select(email=read_email(pl.col("email"))).unique()
        hashed = addresses.with_columns(key=address_key(pl.col("email"), hash_key)).collect()
        found |= {*hashed.filter(pl.col("key").is_in(keys.implode()))["email"].drop_nulls()}
    return found


def _add_records(index: PersonIndex, source: Source, rows: pl.DataFrame) -> None:
    """Note where records are, and what they say that names somebody."""
    index.days.setdefault(source.name, set()).update(rows["_batch_day"])
    index.fingerprints |= {*rows["_fingerprint"]}
    index.records[source.name] = index.records.get(source.name, 0) + rows.height
    places = rows.select(source="_source", fingerprint="_fingerprint", pos="_pos")
    index.places = pl.concat([index.places, places])
    conformed = source.conform(rows.filter(pl.col("_status") == "ok").lazy())
    if conformed.customers is not None:
        profiles = conformed.customers.select(
            name=pl.col("name").str.strip_chars(),
            mobile=pl.col("mobile").str.strip_chars(),
            account=tidy_id(pl.col("customer_id")),
        ).collect()
        own = profiles.filter(pl.col("account").is_in(sorted(index.accounts)))
        values = {*own["name"].drop_nulls(), *own["mobile"].drop_nulls()}
        index.texts |= {text for text in values if len(text) >= _SHORTEST_NAME}
