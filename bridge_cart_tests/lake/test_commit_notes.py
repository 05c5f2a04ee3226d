"""What a commit has noted is read from the end of the log."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from bridge_cart_assets.lake.commit_notes import latest_notes
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.tables.columns import Schema, text
from bridge_cart_assets.tables.table import Table


class Words(Schema):
    word = text("A word", key=True)


WORDS = Table("gold/words", Words, "One row per word.")


def write(lake: Lake, word: str, notes: dict[str, str]) -> None:
    lake.snapshot(WORDS).append(pl.DataFrame({"word": [word]}), Commit(f"run-{word}", notes=notes))


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_the_latest_commit_with_the_note_counts(tmp_path: Path, scheme: str) -> None:
    """In a folder the entries are read, elsewhere delta-rs is asked."""
    lake = Lake(f"{scheme}{tmp_path}")
    assert lake.is_local == (not scheme)
    assert latest_notes(lake, WORDS, "mode") is None
    write(lake, "a", {"mode": "full", "why": 'it has "no rows" yet'})
    write(lake, "b", {"mode": "incremental"})
    latest = latest_notes(lake, WORDS, "mode")
    assert latest is not None
    assert (latest.run_id, latest.notes["mode"]) == ("run-b", "incremental")
    assert datetime.now(UTC) - latest.committed_at < timedelta(minutes=5)
    first = latest_notes(lake, WORDS, "why")
    assert first is not None
    assert (first.run_id, first.notes["why"]) == ("run-a", 'it has "no rows" yet')


def test_maintenance_hides_nothing(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    for word in "abc":
        write(lake, word, {"mode": word})
    assert lake.snapshot(WORDS).compact(Commit("night")) is not None
    latest = latest_notes(lake, WORDS, "mode")
    assert latest is not None
    assert latest.notes["mode"] == "c"
