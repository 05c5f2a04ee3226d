"""The chain from landing to gold without Dagster: what its assets do, in the same order."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge_cart_assets.assets.gold import made, recipes, store
from bridge_cart_assets.assets.silver import batches, fold_days, stamp
from bridge_cart_assets.ingestion.consume import take_messages
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import not_seen
from bridge_cart_assets.ingestion.pending import arrived_days, latest_day, pending_days
from bridge_cart_assets.ingestion.take import take_in
from bridge_cart_assets.lake.delta import Commit, Lake
from bridge_cart_assets.sources import SOURCES, Source

RUN = "test"
DISCOUNT_RATE = 0.1


def ingest(
    lake: Lake,
    landing: Path,
    sources: Sequence[Source] = SOURCES,
    brokers: Mapping[str, str] | None = None,
) -> None:
    """Take in what is new and fold what is pending."""
    for source in sources:
        take_in(lake, source, not_seen(lake, list_landing(landing, source.name)), RUN)
        if brokers and source.topic:
            take_messages(lake, source, brokers, RUN)
    due = pending_days(lake, sources)
    for source in sources:
        for batch in batches(arrived_days(lake, source), due[source.name]):
            fold_days(lake, source, batch, RUN)
    stamp(lake, RUN)


def refine(lake: Lake) -> None:
    """Make gold from silver."""
    as_of = latest_day(lake)
    if as_of is None:
        return
    for recipe in recipes(DISCOUNT_RATE):
        rows = recipe.table.conform(made(recipe, lake, as_of))
        store(lake, recipe.table, rows, Commit(RUN, as_of))
