"""The whole chain in one call: raw, silver, gold and the catalogue, without checks.

Belongs here: what tests, engines and notebooks call. The assets of a run do the same steps in the
same order, each followed by its checks.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from bridge_cart_assets.engine.engine import Engine
from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import ObjectStore
from bridge_cart_assets.pipeline.gold import GOLD_TABLES, recipes, update_table
from bridge_cart_assets.pipeline.gold_inputs import GoldInputs
from bridge_cart_assets.pipeline.intake import take_in_source
from bridge_cart_assets.pipeline.pending import pending_days
from bridge_cart_assets.pipeline.refresh_lock import refreshing_alone
from bridge_cart_assets.pipeline.silver import fold_due_days
from bridge_cart_assets.pipeline.stored_tables import RAW_TABLES
from bridge_cart_assets.settings import Settings, SilverSettings
from bridge_cart_assets.sources import SOURCES, Source
from bridge_cart_assets.tables.silver import TABLES as SILVER_TABLES


def run(
    lake: Lake,
    landing: Path | ObjectStore,
    *,
    sources: Sequence[Source] = SOURCES,
    brokers: Mapping[str, str] | None = None,
    discount_rate: float = Settings.discount_rate,
    catalogue: Path | None = None,
    run_id: str = "pipeline",
    settings: SilverSettings | None = None,
    engine: Engine | None = None,
) -> None:
    """Take in what is new, fold it into silver, update gold and build the catalogue.

    Args:
        lake: the tables.
        landing: the landing zone.
        sources: the sources to take in.
        brokers: how the Kafka brokers are reached; no messages without.
        discount_rate: by how much money is worth less in a year, as a share.
        catalogue: the DuckDB file; none is built without. With one, no other run of this machine is
            beside this one.
        run_id: written down with each commit.
        settings: what silver is made with.
        engine: where the work on records and lines is done; in this process without.
    """
    with nullcontext() if catalogue is None else refreshing_alone(catalogue.parent):
        refresh_silver(
            lake,
            landing,
            sources=sources,
            brokers=brokers,
            run_id=run_id,
            settings=settings,
            engine=engine,
        )
        refresh_gold(lake, discount_rate=discount_rate, run_id=run_id, engine=engine)
        if catalogue is not None:
            build_catalogue(
                catalogue,
                lake,
                GOLD_TABLES,
                SILVER_TABLES,
                RAW_TABLES,
                run_id,
                datetime.now(UTC),
                zone=(settings or SilverSettings()).timezone,
            )


def refresh_silver(
    lake: Lake,
    landing: Path | ObjectStore,
    *,
    sources: Sequence[Source] = SOURCES,
    brokers: Mapping[str, str] | None = None,
    run_id: str = "pipeline",
    settings: SilverSettings | None = None,
    engine: Engine | None = None,
) -> None:
    """Take in what is new and fold what is pending."""
    settings = settings or SilverSettings()
    for source in sources:
        take_in_source(
            *(lake, source, landing, run_id),
            brokers=brokers,
            zone=settings.timezone,
            identity_key=settings.identity_key,
        )
    due = pending_days(lake, sources)
    fold_due_days(lake, sources, due, run_id, settings=settings, engine=engine)


def refresh_gold(
    lake: Lake,
    *,
    discount_rate: float = Settings.discount_rate,
    run_id: str = "pipeline",
    engine: Engine | None = None,
) -> None:
    """Build all tables of gold, one after the other."""
    inputs = GoldInputs.now(lake, engine)
    for recipe in recipes(discount_rate):
        update_table(lake, recipe, run_id, inputs)
