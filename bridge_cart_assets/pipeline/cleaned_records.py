"""Raw records of some batch days, cleaned: order lines, profiles, and what is refused.

Belongs here: how much is cleaned at a time, and what the parts are put together to. Does not belong
here: what a value means (`transforms.cleaning`), or what becomes of the records (`silver`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.settings import SilverSettings
from bridge_cart_assets.sources import Source
from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.tables.silver import CUSTOMERS
from bridge_cart_assets.transforms.cleaning import Cleaned, clean_customers, clean_purchases
from bridge_cart_assets.transforms.order_lines import complete_lines, split_empty_orders

BATCH_RECORDS = 500_000
# Text takes several times the room of what is read from it, so less of it is in memory at a time.
_PART_RECORDS = 200_000


@dataclass(frozen=True)
class CleanedRecords:
    """Raw records of a source, cleaned.

    Attributes:
        lines: the order lines as text, numbered and completed, where the source has any.
        profiles: the profiles as text, where the source has any.
        purchases: the order lines, cleaned, and orders that came without one, of kind `empty`.
        customers: the profiles, cleaned.
        refused: what is refused of the records and of the lines, with the text of the record.
    """

    lines: pl.DataFrame | None
    profiles: pl.LazyFrame | None
    purchases: Cleaned | None
    customers: Cleaned | None
    refused: pl.DataFrame

    def counted_lines(self, source: Source) -> pl.DataFrame | None:
        """What accounting counts of each line, of a source whose records hold several."""
        if self.lines is None or source.whole_order_in is None:
            return None
        return self.lines.select("_batch_day", "_fingerprint", "_pos")


def clean_records(
    raw: pl.LazyFrame, source: Source, settings: SilverSettings, hash_key: bytes | None = None
) -> CleanedRecords:
    """Conform and clean raw records.

    Args:
        raw: raw records of whole files, of any status.
        source: whose records they are.
        settings: what silver is made with.
        hash_key: the key of the addresses' hashes, if there is one.
    """
    zone = settings.timezone
    conformed = source.conform(raw.filter(pl.col("_status") == "ok"))
    refused = [_unreadable_records(raw)]
    lines = purchases = customers = None
    if conformed.purchases is not None:
        received, empty = split_empty_orders(conformed.purchases.collect())
        lines = complete_lines(received)
        records = pl.concat([lines, empty], how="diagonal").lazy()
        purchases = clean_purchases(records, source.dates, source.currency, zone, hash_key)
        if empty.height:
            # An order without a line brings nothing that could be refused.
            of_line = lines.select(fingerprint="_fingerprint", pos="_pos")
            refused_lines = purchases.refused.join(of_line, on=["fingerprint", "pos"], how="semi")
            purchases = replace(purchases, refused=refused_lines)
        refused.append(_with_original(purchases, raw, source))
    if conformed.customers is not None:
        customers = clean_customers(conformed.customers, source.dates, zone)
        if source.feeds == CUSTOMERS:  # not `is`: on an executor it is a copy
            refused.append(_with_original(customers, raw, source))
    return CleanedRecords(lines, conformed.customers, purchases, customers, pl.concat(refused))


def clean_in_parts(
    arrived: Snapshot,
    days: Mapping[date, int],
    source: Source,
    settings: SilverSettings,
    hash_key: bytes | None,
) -> tuple[pl.DataFrame | None, pl.DataFrame | None, pl.DataFrame, pl.DataFrame | None]:
    """Clean the records of some days, of a few days at a time: a file is always whole.

    Returns:
        Accepted order lines, accepted profiles, what is refused, and the lines to count.
    """
    lines, profiles, refused, counted = [], [], [], []
    for part in batches(dict(days), days, _PART_RECORDS):
        # Read once, for all that is asked of it.
        raw = arrived.scan().filter(pl.col("_batch_day").is_in(part)).collect()
        cleaned = clean_records(raw.lazy(), source, settings, hash_key)
        lines += [cleaned.purchases.accepted] if cleaned.purchases else []
        profiles += [cleaned.customers.accepted] if cleaned.customers else []
        refused.append(cleaned.refused)
        of_part = cleaned.counted_lines(source)
        counted += [of_part] if of_part is not None else []
        # The next part needs the room.
        del raw, cleaned
    return (
        pl.concat(lines) if lines else None,
        pl.concat(profiles) if profiles else None,
        pl.concat(refused),
        pl.concat(counted) if counted else None,
    )


def batches(
    records: dict[date, int], due: Iterable[date], most: int = BATCH_RECORDS
) -> Iterator[list[date]]:
    """Days in order, in batches of about half a million records: memory follows the batch."""
    batch: list[date] = []
    size = 0
    for day in sorted(due):
        if batch and size + records.get(day, 0) > most:
            yield batch
            batch, size = [], 0
        batch.append(day)
        size += records.get(day, 0)
    if batch:
        yield batch


def _unreadable_records(raw: pl.LazyFrame) -> pl.DataFrame:
    """Records that were not even records, as rows of quarantine."""
    return (
        raw.filter(pl.col("_status") == "quarantined")
        .select(
            pl.col("_source", "_batch_day", "_object", "_pos", "_fingerprint").name.map(
                lambda name: name.removeprefix("_")
            ),
            pl.lit(1, dtype=pl.Int64).alias("item"),
            pl.col("_error_code").alias("reason"),
            pl.lit(None, dtype=pl.String).alias("column"),
            pl.lit(None, dtype=pl.String).alias("value"),
            pl.lit(None, dtype=MONEY).alias("amount"),
            pl.col("_raw").alias("raw"),
        )
        .collect()
    )


def _with_original(cleaned: Cleaned, raw: pl.LazyFrame, source: Source) -> pl.DataFrame:
    """Refused records with the whole record as it was received, as JSON."""
    known, others = pl.struct(*source.columns).struct.json_encode(), pl.col("_rescued")
    # Two JSON objects become one by the comma between them.
    both = pl.format("{},{}", known.str.strip_suffix("}"), others.str.strip_prefix("{"))
    key = ["fingerprint", "pos"]
    refused = cleaned.refused.lazy()
    wanted = raw.join(refused, left_on=["_fingerprint", "_pos"], right_on=key, how="semi").select(
        fingerprint="_fingerprint",
        pos="_pos",
        raw=pl.when(others.is_null()).then(known).otherwise(both),
    )
    return refused.join(wanted, on=key, how="left").collect()
