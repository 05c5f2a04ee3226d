"""Erasures at the terminal: the run by which gold follows, the receipt.

Belongs here: the order of the steps that need the lake, Dagster and the data folder. Does not
belong here: what a step does (`pipeline.erasure`, `automation.dagster_traces`).
"""

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.object_store import is_uri, object_store
from bridge_cart_assets.pipeline.open_erasure import Erasure, begin_erasure, open_erasure
from bridge_cart_assets.pipeline.open_operations import (
    ERASING_TAG,
    ERASURE,
    closed_unless_begun,
)
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.escaping import EscapingConsole

if TYPE_CHECKING:
    from bridge_cart_assets.automation.history_places import HistoryPlaces


class ErasureFailedError(RuntimeError):
    """A step of an erasure failed; the message says which, and how to go on."""


def refuse_unreachable(settings: Settings) -> None:
    """Refuse an erasure that could not reach everything, before it begins.

    Raises:
        ErasureFailedError: Dagster's history lies in MySQL.
    """
    from bridge_cart_assets.automation.instance import dagster_home

    instance = dagster_home(settings) / "dagster.yaml"
    if instance.exists() and "mysql" in instance.read_text():
        raise ErasureFailedError(
            f"Dagster's history lies in MySQL ({instance}), where this version cannot clean it\n"
            "nothing was erased: keep it in Postgres or in SQLite files"
        )


def erase_persons(settings: Settings, ids: Sequence[str], wait_seconds: float) -> dict[str, Any]:
    """Erase persons; the receipt. This process has the lake for itself (`terminal.alone`).

    Raises:
        UnknownPersonError: nothing is stored about one of them; nothing is erased then.
        ErasureFailedError: a step failed; the next call or run goes on.
    """
    return _complete(settings, begin_erasure(settings, ids), wait_seconds)


def complete_erasure(settings: Settings, wait_seconds: float) -> Path | None:
    """Complete an erasure that was cut off; where its receipt lies, or None without one."""
    erasure = open_erasure(settings)
    if erasure is None:
        return None
    return receipt_file(settings, _complete(settings, erasure, wait_seconds))


def receipt_file(settings: Settings, receipt: dict[str, Any]) -> Path:
    """Where a receipt lies."""
    return settings.data / "erasures" / f"{receipt['receipt']}.json"


def _complete(settings: Settings, erasure: Erasure, wait_seconds: float) -> dict[str, Any]:
    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.automation.history_places import history_places
    from bridge_cart_assets.automation.instance import dagster_home
    from bridge_cart_assets.batch_days import DayRange
    from bridge_cart_assets.lake.doctor import refuse_torn
    from bridge_cart_assets.pipeline.erasure import erase_rows, forget_versions
    from bridge_cart_assets.pipeline.gone_tables import refuse_gone_silver
    from bridge_cart_assets.pipeline.hash_key import hash_key_in
    from bridge_cart_assets.pipeline.lake_format import refuse_other_format
    from bridge_cart_assets.pipeline.pending import latest_day
    from bridge_cart_assets.pipeline.person_data import counts_about
    from bridge_cart_assets.pipeline.person_index import find_persons
    from bridge_cart_assets.pipeline.remembered_settings import refuse_other_settings
    from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
    from bridge_cart_assets.terminal.running import turn

    lake = Lake(settings.lake, settings.storage_options)
    console = EscapingConsole(stderr=True)
    with (
        closed_unless_begun(ERASURE, settings, lambda: erasure.index is not None),
        turn(settings, wait_seconds, is_alone=True) as this_turn,
    ):
        with console.status("erasing") as spinner:
            progress = spinner.update
            refuse_other_format(lake)
            is_resumed = erasure.index is not None
            if erasure.index is None:
                refuse_torn(lake, STORED_TABLES)
                refuse_other_settings(lake, settings.silver)
                refuse_gone_silver(lake)
                key = hash_key_in(settings.hash_key) or b""
                found = find_persons(
                    *(lake, erasure.ids, key, progress), landing=settings.landing_zone
                )
                erasure.counts, erasure.index = counts_about(lake, found), found
                erasure.save(settings)
            index = erasure.index
            files = erase_rows(
                *(lake, settings, index, erasure.began, progress), is_resumed=is_resumed
            )
        as_of = latest_day(lake)
        if as_of is not None:
            today = DayRange(as_of, as_of)
            scope = RunScope(today, pending_in=today)
            outcome = this_turn.refresh(scope, tags={ERASING_TAG: erasure.receipt})
            if not outcome.success:
                raise ErasureFailedError(
                    f"gold could not follow the erasure: {outcome.cause}\n"
                    "mend the cause; bridge-cart run goes on with it"
                )
        with console.status("erasing") as spinner:
            removed = forget_versions(lake, settings, spinner.update)
        history = history_places(this_turn.instance, dagster_home(settings))
    with console.status("erasing") as spinner:
        traces, beyond = _clean_history(history, index.words, spinner.update)
    beyond |= _places_that_keep_versions(settings)
    receipt = {
        "receipt": erasure.receipt,
        "began": erasure.began.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "persons": len(index.persons),
        "ids": len(index.identities),
        "rows": erasure.counts,
        "landing": {"files": files.files, "records": files.records},
        "earlier_files": removed,
        "dagster": traces,
        "not_rewritten": files.left,
        "out_of_reach": beyond,
    }
    _write(receipt_file(settings, receipt), receipt)
    erasure.close(settings)
    return receipt


def _clean_history(
    history: "HistoryPlaces", words: Sequence[str], say: Callable[[str], None]
) -> tuple[dict[str, int], dict[str, str]]:
    """Take words out of Dagster's history: what was changed, and what was not reached."""
    from bridge_cart_assets.automation.dagster_traces import forget_words

    traces = forget_words(history.folders, words, say)
    beyond = {}
    if history.servers:
        from bridge_cart_assets.automation.postgres_traces import forget_words_on_servers

        rows, beyond["Postgres"] = forget_words_on_servers(history.servers, words, say)
        traces["rows"] += rows
    if history.elsewhere:
        beyond["captured output"] = f"what {history.elsewhere} has stored"
    return traces, beyond


def _places_that_keep_versions(settings: Settings) -> dict[str, str]:
    """What stores may still have of objects that were written anew or removed."""
    places = {place for place in (settings.lake, settings.landing_at) if is_uri(place)}
    return {
        place: "earlier versions of its objects, which the bucket keeps"
        for place in sorted(places)
        if object_store(place, settings.storage_options).keeps_versions()
    }


def _write(path: Path, receipt: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(receipt, indent=2) + "\n")
    os.replace(beside, path)
