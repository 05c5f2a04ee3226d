"""What is wrong with a lake beyond single files: tables that are gone, that differ, that disagree.

Everything here is read from logs and from small tables; one column of raw is read for the ledger.
Whole tables are looked at by `bridge-cart check`. What is found says what mends it. Silver and gold
are functions of raw, so a rebuild mends whatever they have lost; a run makes a table of gold again
that is not there at all.

Belongs here: tables and how they agree with each other. Does not belong here: torn commits and
lost files (`lake.doctor`), records that raw has lost (`losses`), the catalogue
(`lake.catalogue_health`), or this machine (`terminal.diagnosis`).
"""

from collections.abc import Iterable, Iterator

import polars as pl

from bridge_cart_assets.ingestion.ledger import IN_RAW, not_in_raw
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import Damage
from bridge_cart_assets.lake.snapshot import DamagedTableError
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.pipeline.gone_tables import (
    REBUILD,
    counted_tables,
    identities_are_gone,
)
from bridge_cart_assets.pipeline.hash_key import HashKeyError, existing_key_in
from bridge_cart_assets.pipeline.lake_states import table_logs
from bridge_cart_assets.pipeline.pending import pending_days
from bridge_cart_assets.pipeline.persons import (
    ANY_KEY,
    HASH_KEY,
    Following,
    number_of_key,
    refuse_other_key,
)
from bridge_cart_assets.pipeline.remembered_settings import refuse_other_settings
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.settings import Settings, SettingsError
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import INTERNAL as GOLD_INTERNAL
from bridge_cart_assets.tables.ops import ERASED, FILES
from bridge_cart_assets.tables.silver import ACCOUNTING, IDENTITIES, SETTINGS
from bridge_cart_assets.tables.table import SchemaMismatchError

RUN = "bridge-cart run makes it again"
_PUT_KEY_BACK = "put the identity.key of the data folder back from a backup"
# What this program writes; another one has changed a table that needs more to be read.
_READER_VERSION = 1
_MEGABYTE = 2**20


def disagreements(lake: Lake, settings: Settings, known: Iterable[str]) -> Iterator[Damage]:
    """What is wrong with tables, and between them.

    Args:
        lake: the tables.
        settings: what silver is made with, and where the key of its hashes lies.
        known: paths of tables of which something worse is known already; they are passed over.
    """
    passed_over = set(known)
    differing = list(_unreadable(lake, passed_over))
    yield from differing
    if differing or passed_over:
        # What is read below would fail, or say the same again.
        return
    yield from _other_key(lake, settings)
    yield from _gone_from_gold(lake)
    yield from _other_sums(lake)
    yield from _ledger_and_raw(lake)


def orphans(lake: Lake) -> Iterator[str]:
    """Files that no version of a table has, a line for each table; maintenance removes them."""
    for path, log in table_logs(lake).items():
        sizes = log.unknown_files()
        if sizes:
            yield (
                f"{path}: {len(sizes):,} files ({sum(sizes.values()) / _MEGABYTE:,.1f} MB) belong "
                "to no version, as killed writers leave them; maintenance removes them once they "
                "are old enough"
            )


def _unreadable(lake: Lake, passed_over: set[str]) -> Iterator[Damage]:
    """Tables that have other columns than declared, or that another program has changed."""
    for table in STORED_TABLES:
        if table.path in passed_over:
            continue
        try:
            reader = lake.snapshot(table).reader_version
        except SchemaMismatchError as differs:
            words, _, remedy = str(differs).rpartition(". ")
            problem = words.partition(" differs: ")[2] or str(differs)
            yield Damage(table.path, problem, mended=False, remedy=remedy)
        except DamagedTableError as damaged:
            problem, _, remedy = str(damaged).partition("\n")
            yield Damage(table.path, problem, mended=False, remedy=remedy)
        else:
            if reader > _READER_VERSION:
                yield Damage(
                    table.path,
                    f"its protocol asks for readers of version {reader}; this program writes "
                    f"{_READER_VERSION}: another one has changed the table",
                    mended=False,
                    remedy="go back to before that: bridge-cart restore --list",
                )


def _other_key(lake: Lake, settings: Settings) -> Iterator[Damage]:
    """The key of the hashes, or the settings, by which silver was made, are not there any more."""
    identities, erased = lake.snapshot(IDENTITIES), lake.snapshot(ERASED)
    by_key = identities.transaction(HASH_KEY) not in (None, ANY_KEY, number_of_key(None))
    if by_key and lake.snapshot(SETTINGS).version is None:
        yield Damage(SETTINGS.path, "it is gone", mended=False, remedy=REBUILD)
    try:
        refuse_other_settings(lake, settings.silver)
    except SettingsError:
        # With other settings it may be right that there is another key.
        return
    try:
        key = existing_key_in(settings.hash_key)
        Following.of(identities, key if settings.silver.identity_key else None)
        refuse_other_key(lake, key)
    except HashKeyError as other:
        yield Damage(IDENTITIES.path, str(other), mended=False, remedy=_PUT_KEY_BACK)
        return
    if key is None and erased.rows:
        problem = "the key by which erased persons are recognised is gone"
        yield Damage(ERASED.path, problem, mended=False, remedy=_PUT_KEY_BACK)


def _gone_from_gold(lake: Lake) -> Iterator[Damage]:
    """Tables of gold that are not there, although there is something to make them from."""
    if not lake.snapshot(ACCOUNTING).rows:
        return
    for table in (*GOLD_TABLES, *GOLD_INTERNAL):
        if lake.snapshot(table).version is None:
            yield Damage(table.path, "it is gone", mended=False, remedy=RUN, is_due=True)


def _other_sums(lake: Lake) -> Iterator[Damage]:
    """Tables of silver that have other numbers of rows than accounting has counted.

    While days are pending the sums need not hold.
    """
    if any(pending_days(lake, SOURCES).values()):
        return
    for found in counted_tables(lake):
        if found.rows != found.counted:
            yield Damage(found.table.path, str(found), mended=False, remedy=REBUILD)
    if identities_are_gone(lake):
        yield Damage(IDENTITIES.path, "it is gone", mended=False, remedy=REBUILD)


def _ledger_and_raw(lake: Lake) -> Iterator[Damage]:
    """Landed files of which raw has fewer records than the ledger says.

    Files that raw has not taken at all are lost, or come again (`losses`, `recovery`).
    """
    key = ["source", "object"]
    ledger = lake.snapshot(FILES).scan().filter(pl.col("state") == IN_RAW[0])
    said = ledger.select(*key, "records").collect()
    said = said.join(not_in_raw(lake), on=key, how="anti")
    for source in SOURCES:
        mine = said.filter(pl.col("source") == source.name)
        if not mine.height:
            continue
        raw = lake.snapshot(source.raw).scan().group_by(object="_object").agg(there=pl.len())
        both = mine.join(raw.collect(), on="object", how="left").with_columns(
            pl.col("there").fill_null(0)
        )
        fewer = both.filter(pl.col("there") < pl.col("records")).sort("object")
        if fewer.height:
            first = fewer.row(0, named=True)
            yield Damage(
                source.raw.path,
                f"{fewer.height:,} files have fewer records than were taken, first of all "
                f"{first['object']}: {first['there']:,} of {first['records']:,}",
                mended=False,
                remedy="go back to before that (bridge-cart restore --list), or put raw back from "
                "a backup",
            )
