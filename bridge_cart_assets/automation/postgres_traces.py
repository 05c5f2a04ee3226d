"""Taking what names a person out of Dagster's history in Postgres.

An update leaves the row as it was in the table's files until VACUUM lets others write over it, and
the statistics of a column may quote its texts. So after the texts are cleaned, each table is
written anew by VACUUM FULL, for which it is locked, and so are the statistics.

Belongs here: Dagster's tables in the database that its dagster.yaml names. Does not belong here:
its SQLite files and captured output (`dagster_traces`). What a server keeps elsewhere, the
write-ahead log, replicas and backups, is its administrator's.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import polars as pl
import sqlalchemy as sa
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from bridge_cart_assets.automation.dagster_traces import HistoryInUseError, Words, is_same

# What is said in a receipt: no statement reaches it.
OUT_OF_REACH = (
    "the server's write-ahead log, replicas and backups, until they are written over or removed"
)
_STATISTICS_LEFT = "; and pg_statistic, which this user may not write anew: VACUUM FULL it"
_METADATA = (SqlEventLogStorageMetadata, RunStorageSqlMetadata, ScheduleStorageSqlMetadata)
_ROWS = 2_000
# Seconds for which another process may hold a table, or read what was there before.
PATIENCE_SECONDS = 60
_IN_USE = (
    "Dagster's history in Postgres is in use by another process: {reason}\n"
    "it has to be written anew: end what reads it, then: bridge-cart run"
)
# Without the right VACUUM warns, and does nothing.
_MAY_WRITE_STATISTICS = sa.text(
    "SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()"
)
# Assigned where nothing was changed, too: an erasure that was cut off may have changed it.
_MINE = sa.text("SELECT CAST(pg_current_xact_id() AS xid)")
_OLDER_READERS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND age(backend_xmin) >= age(CAST(CAST(:mine AS text) AS xid))"
)


def forget_words_on_servers(
    addresses: Sequence[str], words: Sequence[str], say: Callable[[str], None]
) -> tuple[int, str]:
    """Take words that name persons out of Dagster's tables in Postgres; done again it is harmless.

    Args:
        addresses: of the databases (`history_places`).
        words: what names the persons.
        say: gets a line now and then.

    Returns:
        How many rows were changed, and what of the servers was not reached.

    Raises:
        HistoryInUseError: another process kept a table locked, or read what it had been.
    """
    taken_out = Words(words)
    changed = 0
    left = ""
    for address in addresses:
        engine = sa.create_engine(address, poolclass=sa.pool.NullPool)
        try:
            changed += _clean(engine, taken_out, say)
            if not _write_anew(engine, say):
                left = _STATISTICS_LEFT
        except OperationalError as error:
            raise HistoryInUseError(_IN_USE.format(reason=_said(error))) from error
    return changed, OUT_OF_REACH + left


def _clean(engine: Engine, words: Words, say: Callable[[str], None]) -> int:
    changed = 0
    with engine.begin() as connection:
        _be_patient(connection)
        for table in _tables(connection):
            say(f"Dagster's history: {table.name}")
            changed += sum(_clean_column(connection, column, words) for column in _texts(table))
        mine = connection.execute(_MINE).scalar()
    _wait_for_readers(engine, str(mine))
    return changed


def _clean_column(connection: Connection, column: "sa.Column[str]", words: Words) -> int:
    table = column.table
    key = table.c.id
    asked = sa.select(key, column).where(column.is_not(None)).execution_options(yield_per=_ROWS)
    changes = []
    for some in connection.execute(asked).partitions():
        texts = pl.Series([text for _, text in some], dtype=pl.String)
        likely = words.may_be_in(texts)
        for (row, text), is_likely in zip(some, likely, strict=True):
            if is_likely and (new := words.without(text)) != text and not is_same(new, text):
                changes.append({"row": row, "new": new})
    if changes:
        update = sa.update(table).where(key == sa.bindparam("row"))
        connection.execute(update.values({column: sa.bindparam("new")}), changes)
    return len(changes)


def _write_anew(engine: Engine, say: Callable[[str], None]) -> bool:
    """Write tables and the statistics of their columns anew; whether the latter was allowed."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _be_patient(connection)
        for table in _tables(connection):
            say(f"Dagster's history: {table.name} is written anew")
            name = connection.dialect.identifier_preparer.format_table(table)
            connection.execute(sa.text(f"VACUUM (FULL, ANALYZE) {name}"))
        if not connection.execute(_MAY_WRITE_STATISTICS).scalar():
            return False
        connection.execute(sa.text("VACUUM FULL pg_catalog.pg_statistic"))
        return True


def _wait_for_readers(engine: Engine, mine: str) -> None:
    """Wait until nobody reads rows as they were before a transaction: VACUUM would keep these."""
    end = time.monotonic() + PATIENCE_SECONDS
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.execute(_OLDER_READERS, {"mine": mine}).scalar():
            if time.monotonic() > end:
                raise HistoryInUseError(_IN_USE.format(reason="a transaction has not ended"))
            time.sleep(0.5)


def _tables(connection: Connection) -> Iterator[sa.Table]:
    """Dagster's tables that are there; the database may have others, which are not touched."""
    there = set(sa.inspect(connection).get_table_names())
    known = {name: table for metadata in _METADATA for name, table in metadata.tables.items()}
    for name in sorted(there & known.keys()):
        if _texts(known[name]):
            yield known[name]


def _texts(table: sa.Table) -> list["sa.Column[str]"]:
    return [column for column in table.columns if isinstance(column.type, sa.String)]


def _be_patient(connection: Connection) -> None:
    milliseconds = f"{PATIENCE_SECONDS * 1000}"
    connection.execute(sa.select(sa.func.set_config("lock_timeout", milliseconds, False)))


def _said(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0]
