"""A person is erased from Dagster's history in Postgres: rows, dead rows, statistics."""

import json
import signal
import time
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from bridge_cart_assets.automation import postgres_traces
from bridge_cart_assets.automation.dagster_traces import HistoryInUseError
from bridge_cart_assets.automation.history_places import history_places
from bridge_cart_assets.automation.postgres_traces import forget_words_on_servers
from bridge_cart_tests.deploy.postgres_server import Server
from bridge_cart_tests.deploy.test_postgres_command import Desk, ended
from bridge_cart_tests.erasure.byte_search import found_in
from bridge_cart_tests.erasure.shop import PERSON, WORDS, land

SAYS = "customer PX-100 (Vera Quillfeather, 'vera.quill@example.org') has OX-1."
TEXTS = (
    "SELECT table_name, column_name FROM information_schema.columns "
    "WHERE table_schema = 'public' AND data_type IN ('text', 'character varying')"
)


def name_in_history(instance: dg.DagsterInstance, text: str) -> None:
    for number in range(30):
        event = dg.AssetMaterialization("named", description=text, metadata={"n": number})
        instance.report_runless_asset_event(event)


def bytes_on_disk(server: Server, words: tuple[str, ...]) -> list[tuple[str, str]]:
    """The server's files that have a word, without the write-ahead log, which it says it keeps."""
    server.ask("CHECKPOINT")
    found = found_in(server.home / "data", words)
    return [(file, word) for file, word in found if not file.startswith("pg_wal/")]


def rows_with(server: Server, words: tuple[str, ...]) -> list[tuple[object, object, str]]:
    """Columns of Dagster's tables of which a value has a word, long ones that are packed too."""
    return [
        (table, column, word)
        for table, column in server.ask(TEXTS)
        for word in words
        if server.ask(f'SELECT 1 FROM "{table}" WHERE position(%s IN "{column}") > 0 LIMIT 1', word)
    ]


def test_neither_rows_nor_files_of_the_server_name_the_person(
    instance: dg.DagsterInstance, postgres: Server, home: Path, tmp_path: Path
) -> None:
    name_in_history(instance, SAYS)
    # Of another program in the same database, which is not touched.
    postgres.ask("CREATE TABLE notes (event text)")
    postgres.ask("INSERT INTO notes VALUES ('PX-100')")
    # What an update has left, and what statistics quote.
    postgres.ask("UPDATE event_logs SET step_key = %s", SAYS)
    postgres.ask("ANALYZE event_logs")
    postgres.ask("UPDATE event_logs SET step_key = NULL")
    words = ("Vera Quillfeather", "vera.quill@example.org")
    assert bytes_on_disk(postgres, words)
    assert rows_with(postgres, words)
    (tmp_path / "storage").mkdir(exist_ok=True)
    history = history_places(instance, home)
    assert [*history.folders] == [home, tmp_path / "storage"]
    rows, left = forget_words_on_servers(history.servers, WORDS, print)
    assert rows >= 30
    assert "write-ahead log" in left
    assert "pg_statistic" not in left
    assert rows_with(postgres, words) == []
    assert bytes_on_disk(postgres, words) == []
    assert postgres.ask("SELECT event FROM notes") == [("PX-100",)]
    (event,) = instance.fetch_materializations(dg.AssetKey("named"), limit=1).records
    assert event.asset_materialization is not None
    description = event.asset_materialization.description
    assert description == "customer [erased] ([erased], '[erased]') has [erased]."
    # Done again it changes nothing.
    assert forget_words_on_servers(history.servers, WORDS, print)[0] == 0


@pytest.mark.slow
def test_who_reads_what_was_there_before_is_waited_for(
    instance: dg.DagsterInstance, postgres: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_traces, "PATIENCE_SECONDS", 1)
    name_in_history(instance, SAYS)
    servers = history_places(instance, home).servers
    with closing(postgres.connect()) as reader, reader.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT 1 FROM pg_class LIMIT 1")
        with pytest.raises(HistoryInUseError, match="has not ended"):
            forget_words_on_servers(servers, WORDS, print)
    with closing(postgres.connect()) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT 1 FROM event_logs LIMIT 1")
        with pytest.raises(HistoryInUseError, match="lock timeout"):
            forget_words_on_servers(servers, WORDS, print)
    assert forget_words_on_servers(servers, WORDS, print)[0] == 0
    assert bytes_on_disk(postgres, ("vera.quill@example.org",)) == []


@pytest.mark.slow
def test_the_command_killed_while_it_cleans_the_server_is_completed(
    postgres: Server, home: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    data = tmp_path / "data"
    land(data / "landing")
    desk = Desk(data, postgres, home)
    done = desk.run("run")
    assert done.returncode == 0, done.stderr
    name_in_history(instance, SAYS)
    with closing(postgres.connect()) as holder, holder.cursor() as cursor:
        # The rows are cleaned, and the first table cannot be written anew yet.
        cursor.execute("LOCK TABLE asset_event_tags IN ACCESS SHARE MODE")
        erasing = desk.start("erase", PERSON[0], "--yes")
        wanted = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'VACUUM%%' AND pid <> %s"
        deadline = time.monotonic() + 600
        while not postgres.ask(wanted, "0"):
            assert erasing.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        erasing.send_signal(signal.SIGKILL)
        ended(erasing)
    assert (data / "erasing.json").exists()
    again = desk.run("run")
    assert again.returncode == 0, again.stderr
    assert "completed an erasure that was cut off" in again.stderr
    (receipt,) = (json.loads(p.read_text()) for p in (data / "erasures").iterdir())
    assert set(receipt["out_of_reach"]) == {"Postgres"}
    assert rows_with(postgres, WORDS) == []
    assert bytes_on_disk(postgres, WORDS) == []
    assert found_in(data, WORDS) == []
