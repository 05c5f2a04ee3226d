"""Where the columns of what arrives are not those of its source.

Belongs here: unknown and missing columns of files, by the ledger, and of messages, by raw itself.
Does not belong here: what is made of them (`checks`), or keeping their values (`raw_rows`).
"""

import json
from datetime import date, timedelta

import polars as pl

from bridge_cart_assets.ingestion.ledger import names_in
from bridge_cart_assets.ingestion.offsets import latest_of_topic
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources import Source
from bridge_cart_assets.tables.ops import FILES
from bridge_cart_assets.transforms.masking import masked_name

# So many days before are what messages are compared with: what has come with them is no news.
LOOKED_BACK = 30
_DRIFT = {
    "source": pl.String,
    "column": pl.String,
    "kind": pl.String,
    "files": pl.Int64,
    "first_day": pl.Date,
    "latest_day": pl.Date,
}


def drift_of_files(lake: Lake) -> pl.DataFrame:
    """Where the columns of files that were taken are not those of their source.

    Returns:
        A row per source, column and kind: unknown (the source does not have it) or missing (the
        file does not); the number of files, the first and the latest of their batch days.
    """
    rows = (
        lake.snapshot(FILES)
        .scan()
        .filter(pl.col("state") == "taken")
        .select("source", "batch_day", unknown="unknown_columns", missing="missing_columns")
        .unpivot(index=["source", "batch_day"], variable_name="kind", value_name="names")
        .drop_nulls("names")
        .group_by("source", "kind", "names")
        .agg(
            files=pl.len().cast(pl.Int64),
            first_day=pl.min("batch_day"),
            latest_day=pl.max("batch_day"),
        )
        .collect()
    )
    # A ledger of version 0.1 has names as they are.
    names = pl.Series(
        [[masked_name(name) for name in names_in(text)] for text in rows["names"]],
        dtype=pl.List(pl.String),
    )
    return (
        rows.with_columns(column=names)
        .explode("column")
        .group_by("source", "column", "kind")
        .agg(pl.sum("files"), pl.min("first_day"), pl.max("latest_day"))
        .select(pl.col(name).cast(dtype) for name, dtype in _DRIFT.items())
        .sort("source", "kind", "column")
    )


def drift_of_messages(lake: Lake, source: Source, first: date, last: date) -> pl.DataFrame:
    """Which columns messages of some days have, or lack, other than those of the 30 days before.

    Args:
        lake: the tables.
        source: whose messages they are.
        first, last: the batch days that are looked at, both included.

    Returns:
        As `drift_of_files`; files are the partitions of the topic that brought messages.
    """
    # Most shops have no messages, and nothing of raw is read for those.
    latest = latest_of_topic(lake, source)
    if source.topic is None or latest is None or latest < first:
        return pl.DataFrame(schema=_DRIFT)
    day = pl.col("_batch_day")
    # Of a file it is the SHA-256.
    mine = (
        lake.snapshot(source.raw)
        .scan()
        .filter(
            pl.col("_fingerprint").str.starts_with(source.topic),
            pl.col("_status") == "ok",
            day.is_between(first - timedelta(days=LOOKED_BACK), last),
        )
    )
    now, before = mine.filter(day >= first), mine.filter(day < first)
    rescued = now.select(pl.col("_rescued").drop_nulls().unique()).collect().to_series()
    unknown = sorted({name for text in rescued for name in json.loads(text)})
    known = before.select(
        pl.col("_rescued")
        .str.contains(f"{json.dumps(name, ensure_ascii=False)}:", literal=True)
        .any()
        .alias(str(at))
        for at, name in enumerate(unknown)
    )
    counts = pl.concat(
        [part.select(pl.col(list(source.columns)).count()).collect() for part in (now, before)]
    )
    drifted = [
        *(
            (name, "unknown")
            for name, is_known in zip(
                unknown, known.collect().row(0) if unknown else (), strict=True
            )
            if not is_known
        ),
        *((name, "missing") for name in source.columns if counts[name][0] == 0 < counts[name][1]),
    ]
    facts = now.select(
        files=pl.n_unique("_fingerprint").cast(pl.Int64),
        first_day=day.min(),
        latest_day=day.max(),
    ).collect()
    if not facts["files"][0]:
        return pl.DataFrame(schema=_DRIFT)
    masked = {(masked_name(name), kind) for name, kind in drifted}
    names = pl.DataFrame(sorted(masked), schema=["column", "kind"], orient="row")
    return (
        names.join(facts, how="cross")
        .with_columns(source=pl.lit(source.name))
        .select(pl.col(name).cast(dtype) for name, dtype in _DRIFT.items())
        .sort("kind", "column")
    )
