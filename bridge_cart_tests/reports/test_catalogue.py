"""Reading a file that others replace."""

import os
import threading
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports.catalogue import NoCatalogueError, UnreadableCatalogueError
from bridge_cart_tests.reports.catalogues import (
    AS_OF,
    FINISHED,
    open_catalogue,
    shop,
    write_catalogue,
)
from bridge_cart_tests.reports.conftest import browse


@dataclass(frozen=True)
class Revenue:
    """Two columns of gold.kpis_daily, in another order than there."""

    revenue: Decimal
    day: date


def test_a_row_is_read_by_the_names_of_the_fields(catalogue: Path) -> None:
    with open_catalogue(catalogue) as opened:
        rows = opened.read(
            Revenue, "gold.kpis_daily WHERE day >= $day ORDER BY day", {"day": AS_OF}
        )
        revenue = opened.value("SELECT revenue FROM gold.kpis_daily ORDER BY day DESC")
        nothing = opened.value(
            "SELECT revenue FROM gold.kpis_daily WHERE day > $day", {"day": AS_OF}
        )
    assert rows == [Revenue(revenue, AS_OF)]
    assert nothing is None


def run(as_of: date | None) -> tuple[str, datetime, date | None]:
    return ("run", FINISHED, as_of)


def test_health_names_the_latest_day(client: TestClient) -> None:
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "as_of": "2024-07-28"}


def test_health_is_bad_without_a_catalogue(tmp_path: Path) -> None:
    response = browse(tmp_path / "none.duckdb").get("/healthz")
    assert response.status_code == 503
    assert response.json() == {"status": "no catalogue", "as_of": None}


def test_a_catalogue_without_a_run_is_healthy_and_has_no_day(tmp_path: Path) -> None:
    client = browse(write_catalogue(tmp_path / "c.duckdb", {}, run=None))
    assert client.get("/healthz").json() == {"status": "ok", "as_of": None}
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/", "/export/kpis_daily.csv"])
def test_a_file_that_is_no_catalogue_is_named_as_such(tmp_path: Path, path: str) -> None:
    broken = tmp_path / "c.duckdb"
    broken.write_bytes(b"this is not a database" * 500)
    client = browse(broken)
    response = client.get(path)
    assert response.status_code == 503
    assert "The catalogue cannot be read" in response.text
    health = client.get("/healthz")
    assert health.status_code == 503
    assert health.json()["status"].startswith("unreadable: ")


def test_a_catalogue_of_another_version_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "c.duckdb"
    duckdb.connect(str(path)).close()
    assert browse(path).get("/").status_code == 503


def test_a_new_catalogue_is_seen_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.duckdb"
    client = browse(path)
    assert client.get("/healthz").status_code == 503
    for back in (2, 1, 0):
        write_catalogue(path, {}, run=run(AS_OF - timedelta(days=back)))
        assert client.get("/healthz").json()["as_of"] == str(AS_OF - timedelta(days=back))


def test_a_catalogue_that_is_replaced_under_an_open_one_is_seen_at_once(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path / "c.duckdb", {}, run=run(date(2024, 1, 1)))
    with open_catalogue(path) as before:
        write_catalogue(path, {}, run=run(date(2024, 1, 2)))
        with open_catalogue(path) as after:
            sql = "SELECT as_of FROM meta.run"
            assert before.ask(str, sql) == ["2024-01-01"]
            assert after.ask(str, sql) == ["2024-01-02"]


def test_readers_never_fail_while_the_catalogue_is_replaced(tmp_path: Path) -> None:
    versions = [
        write_catalogue(tmp_path / f"{n}.duckdb", shop(days=3 + n)).read_bytes() for n in range(2)
    ]
    path = tmp_path / "c.duckdb"
    path.write_bytes(versions[0])
    client = browse(path)
    done = threading.Event()
    codes: list[int] = []

    def read() -> None:
        while not done.is_set():
            codes.extend(client.get(p).status_code for p in ("/", "/healthz"))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(60):
        unfinished = tmp_path / "c.tmp"
        unfinished.write_bytes(versions[n % 2])
        os.replace(unfinished, path)
    while len(codes) < 12 and any(reader.is_alive() for reader in readers):
        done.wait(0.01)
    done.set()
    for reader in readers:
        reader.join()
    assert set(codes) == {200}


def test_reading_leaves_the_folder_as_it_was_and_cannot_write(tmp_path: Path) -> None:
    path = write_catalogue(tmp_path / "it's.duckdb", shop(days=2))
    before = path.read_bytes()
    with open_catalogue(path) as catalogue:
        for statement in (
            "DELETE FROM gold.kpis_daily",
            "CREATE TABLE gold.x (i INTEGER)",
            f"COPY gold.kpis_daily TO '{tmp_path}/x.csv'",
        ):
            with pytest.raises(duckdb.Error):
                catalogue.connection.execute(statement)
    assert browse(path).get("/").status_code == 200
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["it's.duckdb"]


def test_errors_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(NoCatalogueError, match="does not exist"), open_catalogue(tmp_path / "no"):
        pass
    (tmp_path / "empty").touch()
    with pytest.raises(UnreadableCatalogueError), open_catalogue(tmp_path / "empty"):
        pass
