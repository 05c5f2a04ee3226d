"""What the files of some batch days brought that is not in silver as they say, and its words.

Belongs here: which tables it is read from, whose files a run took, and sentences that the command
and the checks share. Does not belong here: counting (`transforms.intake_findings`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache

import polars as pl

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.ops import FILES, OFFSETS
from bridge_cart_assets.tables.raw import is_of_file
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMER_REPEATS,
    CUSTOMERS,
    PURCHASE_REPEATS,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_assets.tables.table import Table
from bridge_cart_assets.transforms.folding import PURCHASE_KEY
from bridge_cart_assets.transforms.intake_findings import KINDS, intake_findings
from bridge_cart_assets.transforms.masking import masked_path
from bridge_cart_assets.transforms.outcomes import LATEST_DAYS

_TABLES = (
    (PURCHASES, PURCHASE_REPEATS, PURCHASE_KEY),
    (CUSTOMERS, CUSTOMER_REPEATS, ("customer_id", "valid_from")),
)
_READ = (QUARANTINE, PURCHASES, PURCHASE_REPEATS, CUSTOMERS, CUSTOMER_REPEATS)
_DATES = {"purchase_date", "updated_at", "signup_date"}


@dataclass(frozen=True)
class FileFinding:
    """What became of some records of a file, or of a partition's messages of a batch day.

    Attributes:
        source, batch_day, object: the file.
        kind: refused, superseded_in_file, guessed or unreadable.
        records, of_records: how many, and how many the file has.
        amount: their money; None when none could be read.
        parts: reason or column, records and amount; one for each reason of what was refused.

    >>> money, day = Decimal("50.00"), date(2024, 4, 30)
    >>> parts = [("BAD_DATE", 5, money)]
    >>> print(FileFinding("purchases", day, "a.csv", "refused", 5, 5, money, parts))
    purchases/a.csv: 5 of 5 records refused, 50.00 (BAD_DATE)
    """

    source: str
    batch_day: date
    object: str
    kind: str
    records: int
    of_records: int
    amount: Decimal | None
    parts: Sequence[tuple[str, int, Decimal | None]]

    @property
    def is_whole_file(self) -> bool:
        """Whether nothing of the file was accepted."""
        return self.kind == "refused" and self.records == self.of_records

    @property
    def remedy(self) -> str:
        """What decides a guess; '' where nothing does."""
        if self.kind != "guessed" or self.parts[0][0] not in _DATES:
            return ""
        return f"BRIDGE_CART_DATES={self.source}=day_first or month_first says how it is meant"

    def __str__(self) -> str:
        """For people, with the file, the count, the money and the reasons."""
        noun = "record" if self.of_records == 1 else "records"
        day = "" if str(self.batch_day) in self.object else f" of {self.batch_day}"
        words = (
            f"{self.source}/{masked_path(self.object)}{day}: "
            f"{self.records:,} of {self.of_records:,} {noun} "
            f"{KINDS[self.kind]}{_money(self.amount)}"
        )
        names = [name for name, *_ in self.parts if name]
        if len(names) > 1:
            names = [f"{name} {n:,}{_money(amount)}" for name, n, amount in self.parts]
        return f"{words} ({'; '.join(names)})" if names else words


def findings_of_days(
    rows: Callable[[Table], pl.LazyFrame],
    days: DayRange | Collection[date] | None,
    sources: Sequence[Source] = SOURCES,
) -> pl.DataFrame:
    """The findings of the files of some batch days, with the columns of meta/intake_findings.

    Args:
        rows: gives the rows of a table.
        days: the batch days; None for all.
        sources: the sources that there are.
    """
    day = pl.col("batch_day")
    if isinstance(days, DayRange):
        is_wanted = day.is_between(days.first, days.last)
    else:
        is_wanted = pl.lit(True) if days is None else day.is_in(list(days))
    found = []
    for table, repeats, key in _TABLES:
        names = [source.name for source in sources if source.feeds is table]
        found.append(
            intake_findings(
                rows(QUARANTINE).filter(is_wanted, pl.col("source").is_in(names)),
                _as_received(rows(table).filter(is_wanted)),
                rows(repeats).filter(is_wanted),
                key,
            )
        )
    return pl.concat(found)


def findings_in(lake: Lake, days: DayRange | Collection[date] | None) -> pl.DataFrame:
    """The findings of the files of some batch days, as the lake has them now.

    A run asks three times: its checks and its end for the days that it touched, the catalogue for
    the latest ones. All are read at once, and again when one of the tables has changed.
    """
    made_from = [lake.snapshot(table) for table in _READ]
    versions = tuple((snapshot.table_id, snapshot.version) for snapshot in made_from)
    if isinstance(days, DayRange):
        days = days.days
    asked = None if days is None else frozenset(days)
    last = _last_findings(lake.root)
    if last.versions != versions or not last.has(asked):
        read = None if asked is None else asked.union(_latest_days(lake, LATEST_DAYS))
        found = findings_of_days(lambda table: lake.snapshot(table).scan(), read)
        last.findings, last.days, last.versions = found, read, versions
    if asked is None or asked == last.days:
        return last.findings
    return last.findings.filter(pl.col("batch_day").is_in(list(asked)))


@dataclass
class _LastFindings:
    """What was read last, of which days (None for all), from which versions of which tables."""

    findings: pl.DataFrame = field(default_factory=pl.DataFrame)
    days: frozenset[date] | None = frozenset()
    versions: tuple[tuple[str, int | None], ...] = ()

    def has(self, days: frozenset[date] | None) -> bool:
        return self.days is None or (days is not None and days <= self.days)


@lru_cache(maxsize=1)
def _last_findings(root: str) -> _LastFindings:
    """Those of the lake that was asked last."""
    return _LastFindings()


def latest_findings(lake: Lake, days: int = LATEST_DAYS) -> pl.DataFrame:
    """The findings of the latest batch days of the shop."""
    return findings_in(lake, _latest_days(lake, days))


def _latest_days(lake: Lake, days: int) -> list[date]:
    accounting = lake.snapshot(ACCOUNTING).scan()
    latest = accounting.select(pl.col("batch_day").unique()).sort("batch_day").tail(days)
    return latest.collect()["batch_day"].to_list()


def findings_of_run(
    lake: Lake, run_id: str, pending: Mapping[str, Collection[date]] | None = None
) -> pl.DataFrame:
    """The findings of the files and messages that a run took.

    Args:
        lake: the tables.
        run_id: the run.
        pending: batch days per source that waited in raw before the run: a run that died had taken
            their files, and could not say what became of them.
    """
    taken = [_files_of_run(lake, run_id), *_messages_of_run(lake, run_id)]
    waited = [(source, day) for source, days in (pending or {}).items() for day in days]
    wanted = pl.concat(taken)
    days = {*wanted["batch_day"], *(day for _, day in waited)}
    found = findings_in(lake, days)
    of_file = pl.struct("source", "batch_day", "fingerprint")
    of_day = pl.struct("source", "batch_day")
    schema = {"source": pl.String, "batch_day": pl.Date}
    folded = pl.DataFrame(waited, schema=schema, orient="row")
    return found.filter(
        of_file.is_in(wanted.select(of_file).to_series().implode())
        | of_day.is_in(folded.select(of_day).to_series().implode())
    )


def by_file(findings: pl.DataFrame) -> list[FileFinding]:
    """The findings as they are said: files of which nothing stands first, then most money first.

    Reasons of one file are one finding; columns are one each.
    """
    file_findings = []
    file = ["source", "batch_day", "object", "fingerprint", "kind"]
    each = pl.when(pl.col("kind") == "refused").then(pl.lit("")).otherwise("subject")
    for _, rows in findings.group_by(*file, each.alias("column"), maintain_order=True):
        parts = rows.sort("records", "subject", descending=[True, False])
        first = rows.row(0, named=True)
        amounts = rows["amount"].drop_nulls()
        file_findings.append(
            FileFinding(
                first["source"],
                first["batch_day"],
                first["object"],
                first["kind"],
                int(rows["records"].sum()),
                first["of_records"],
                sum(amounts, Decimal(0)) if amounts.len() else None,
                parts.select("subject", "records", "amount").rows(),
            )
        )
    order = list(KINDS)
    return sorted(
        file_findings,
        key=lambda f: (
            not f.is_whole_file,
            -abs(f.amount or Decimal(0)),
            order.index(f.kind),
            -f.records,
            (f.source, f.batch_day, f.object),
        ),
    )


def findings_in_lines(file_findings: Sequence[FileFinding], most: int, rest_in: str) -> list[str]:
    """A line for each, at most so many, and one that says how many more there are.

    >>> findings_in_lines([], 3, "bridge-cart status")
    []
    """
    lines = [f"{f}; {f.remedy}" if f.remedy else str(f) for f in file_findings[:most]]
    rest = len(file_findings) - len(lines)
    return lines if rest <= 0 else [*lines, f"and {rest:,} more: {rest_in}"]


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else f", {amount:,.2f}"


def sums_in_words(file_findings: Sequence[FileFinding]) -> str:
    """How many records there are of each kind, and their money; '' without any.

    >>> sums_in_words([])
    ''
    """
    sums = []
    for kind, words in KINDS.items():
        mine = [finding for finding in file_findings if finding.kind == kind]
        amounts = [finding.amount for finding in mine if finding.amount is not None]
        if mine:
            records = sum(finding.records for finding in mine)
            noun = "record" if records == 1 else "records"
            money = _money(sum(amounts, Decimal(0)) if amounts else None)
            sums.append(f"{records:,} {noun} {words}{money}")
    return "; ".join(sums)


def _as_received(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with customer_id as received: what a file says does not depend on who is one person."""
    if "received_customer_id" not in rows.collect_schema():
        return rows
    return rows.drop("customer_id").rename({"received_customer_id": "customer_id"})


def _files_of_run(lake: Lake, run_id: str) -> pl.DataFrame:
    return (
        lake.snapshot(FILES)
        .scan()
        .filter(pl.col("run_id") == run_id, pl.col("state") == "taken")
        .select("source", "batch_day", "fingerprint")
        .collect()
    )


def _messages_of_run(lake: Lake, run_id: str) -> list[pl.DataFrame]:
    """Partitions and batch days of the messages that a run took."""
    partitions = lake.snapshot(OFFSETS).scan().filter(pl.col("run_id") == run_id).collect()
    names = set(partitions["source"])
    return [
        lake.snapshot(source.raw)
        .scan()
        .filter(pl.col("_batch_id") == run_id, ~is_of_file(pl.col("_fingerprint")))
        .select(source="_source", batch_day="_batch_day", fingerprint="_fingerprint")
        .unique()
        .collect()
        for source in SOURCES
        if source.name in names
    ]
