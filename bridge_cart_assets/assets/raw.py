"""raw/<source>: landed files and messages, each taken in once."""

from collections.abc import Iterator

import dagster as dg

from bridge_cart_assets.assets.declared import seen_after, spec_of
from bridge_cart_assets.checks.declared import Evidence, check_specs, evaluate
from bridge_cart_assets.ingestion.consume import Consumed, take_messages
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import not_seen
from bridge_cart_assets.ingestion.take import take_in
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.partitions import DayRange, last_batch_day
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import Source
from bridge_cart_assets.tables.ops import TABLES as OPS

# A tag: take only `files` or only `messages`; both without it.
ARRIVALS = "bridge_cart/arrivals"
FILES, MESSAGES = "files", "messages"


def raw_asset(source: Source, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset that takes in a source's new files whose batch day is in the run's range."""

    @dg.multi_asset(
        name=f"raw_{source.name}",
        specs=[spec_of(source.raw, deps=(), days=days)],
        check_specs=check_specs(source.raw),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def raw(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        wanted = DayRange.of_run(context.run.tags)
        if context.selected_asset_keys:
            refuse_torn(lake, (source.raw, *OPS))
            only = context.run.tags.get(ARRIVALS)
            figures: dict[str, int | str] = {}
            if only != MESSAGES:
                figures |= take_files(context, lake, settings, wanted)
            if only != FILES and settings.kafka and source.topic:
                consumed = take_from_topic(context, lake, settings)
                figures |= shown(context, consumed)
                if wanted is not None:
                    # Nobody could foresee them; what is no partition waits and is not looked at.
                    there = DayRange(settings.start_date, last_batch_day())
                    wanted = wanted.with_days(day for day in consumed.days if day in there)
            yield seen_after(lake.look(source.raw), **figures)
        yield from evaluate(context, Evidence(lake, wanted), (source.raw,))

    def take_files(
        context: dg.AssetExecutionContext, lake: Lake, settings: Settings, wanted: DayRange | None
    ) -> dict[str, int | str]:
        listed = list_landing(settings.landing, source.name)
        due = [f for f in not_seen(lake, listed) if wanted is None or f.batch_day in wanted]
        taken = take_in(
            lake,
            source,
            due,
            context.run.run_id,
            progress=lambda done, total: context.log.info(
                f"raw/{source.name}: {done} of {total} files"
            ),
            within=lambda file, done, total: context.log.info(
                f"raw/{source.name}: {file.object}: {done:,} of {total:,}"
            ),
        )
        for refused in taken.refused:
            context.log.warning(
                f"{source.name}/{refused.file.object} was refused: {refused.reason}, "
                f"{refused.detail}"
            )
        return {
            "files": taken.files,
            "files_repeated": taken.repeated,
            "files_refused": len(taken.refused),
            "records": taken.records,
        }

    def take_from_topic(
        context: dg.AssetExecutionContext, lake: Lake, settings: Settings
    ) -> Consumed:
        return take_messages(
            lake,
            source,
            settings.kafka,
            context.run.run_id,
            progress=lambda done, total: context.log.info(
                f"raw/{source.name}: {done:,} of {total:,} messages"
            ),
        )

    def shown(context: dg.AssetExecutionContext, consumed: Consumed) -> dict[str, int | str]:
        figures: dict[str, int | str] = {
            "messages": consumed.records,
            "messages_quarantined": consumed.quarantined,
        }
        if consumed.unknown:
            figures["messages_unknown_columns"] = ", ".join(sorted(consumed.unknown))
            context.log.warning(
                f"{source.topic}: unknown columns, kept in _rescued: "
                f"{figures['messages_unknown_columns']}"
            )
        return figures

    return raw
