"""Personal values stay where the tables declare them: a search through all the rest."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.reports.app import create_app
from bridge_cart_assets.tables.gold import TABLES as GOLD
from bridge_cart_assets.tables.silver import TABLES as SILVER

pytestmark = pytest.mark.slow
# Files without a header, and files named after people: names of columns and files are values here.
ADDRESS, PHONE, CARD = "zoe.quill@example.org", "+44 7700 900123", "4111 1111 1111 1111"


def command(data: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bridge_cart_assets", *arguments],
        env={**os.environ, "BRIDGE_CART_DATA": str(data)},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A shop after a run, and all that its commands have said."""
    data = tmp_path_factory.mktemp("shop")
    command(data, "generate", "--customers", "60", "--days", "40", "--dirt", "0.3")
    folder = data / "landing" / "customers" / f"{ADDRESS} {PHONE}"
    folder.mkdir()
    (folder / "headless_2024-01-05.csv").write_text(f"C1,Zoe Quill,{ADDRESS},{PHONE}\n")
    (folder / "extra_2024-01-05.csv").write_text(
        f"customer_id,{ADDRESS},{PHONE},{CARD}\nC1,a,b,c\n"
    )
    (folder / "broken_2024-01-06.csv").write_text("customer_id,name\nC1,Zoe\n,Nobody\n")
    (folder / "again_2024-01-07.csv").write_bytes((folder / "broken_2024-01-06.csv").read_bytes())
    said = "".join(command(data, *verb) for verb in (["run"], ["status"], ["status", "--json"]))
    return data, said


@pytest.fixture(scope="module")
def values(shop: tuple[Path, str]) -> list[str]:
    """What is personal: each customer's name, address and number, and those of the extra files."""
    data, _ = shop
    rows = customers(data)
    found = {
        text
        for name in ("name", "email", "mobile")
        for text in rows[name].drop_nulls().to_list()
        if len(text) > 6
    }
    return sorted(found | {ADDRESS, PHONE, CARD})


def customers(data: Path) -> pl.DataFrame:
    [table] = [table for table in SILVER if table.name == "customers"]
    return Lake(str(data / "lake")).snapshot(table).read()


def found_in(text: str, values: list[str]) -> list[str]:
    return re.findall("|".join(map(re.escape, values)), text)


def texts_of(frame: pl.DataFrame) -> str:
    return "\n".join(str(row) for row in frame.iter_rows())


def test_there_is_something_to_find(shop: tuple[Path, str], values: list[str]) -> None:
    assert len(values) > 100
    assert found_in(texts_of(customers(shop[0])), values)


def test_gold(shop: tuple[Path, str], values: list[str]) -> None:
    lake = Lake(str(shop[0] / "lake"))
    for table in GOLD:
        assert found_in(texts_of(lake.snapshot(table).read()), values) == [], table.path


def test_logs_of_the_tables_with_their_statistics(
    shop: tuple[Path, str], values: list[str]
) -> None:
    logs = [*(shop[0] / "lake").glob("silver/*/_delta_log/*.json")]
    logs += (shop[0] / "lake").glob("gold/*/_delta_log/*.json")
    assert len(logs) > 20
    for path in logs:
        assert found_in(path.read_text(), values) == [], path


def test_dagster(shop: tuple[Path, str], values: list[str]) -> None:
    """Its history, its metadata, its captured output."""
    pattern = re.compile("|".join(map(re.escape, values)).encode())
    files = [path for path in (shop[0] / "dagster").rglob("*") if path.is_file()]
    assert len(files) > 3
    for path in files:
        assert pattern.findall(path.read_bytes()) == [], path


def test_what_the_commands_say(shop: tuple[Path, str], values: list[str]) -> None:
    lines = [line for line in shop[1].splitlines() if '"object":' not in line]
    for name in ("headless_2024-01-05.csv", "broken_2024-01-06.csv", "again_2024-01-07.csv"):
        assert any(name in line for line in lines), name
    assert found_in("\n".join(lines), values) == []


def test_the_catalogue(shop: tuple[Path, str], values: list[str]) -> None:
    """All of gold and meta, and silver but for the columns that are declared personal."""
    with duckdb.connect(str(shop[0] / "bridge_cart.duckdb"), read_only=True) as connection:
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema IN ('gold', 'meta')"
        ).fetchall()
        assert len(names) > 15
        for schema, name in names:
            rows = connection.execute(f'SELECT * FROM {schema}."{name}"').fetchall()
            assert found_in("\n".join(map(str, rows)), values) == [], name


def test_views_of_silver(shop: tuple[Path, str], values: list[str]) -> None:
    """Masked as they are, by the command and by DuckDB; clear where that is asked for."""
    data, _ = shop
    with duckdb.connect(str(data / "bridge_cart.duckdb"), read_only=True) as connection:
        for table in SILVER:
            # Files are known by their names: these stay.
            asked = f"SELECT * EXCLUDE (object) FROM silver.{table.name}"
            if "object" not in table.columns:
                asked = f"SELECT * FROM silver.{table.name}"
            rows = connection.execute(asked).fetchall()
            assert rows, table.path
            assert found_in("\n".join(map(str, rows)), values) == [], table.path
    for asked in (
        "SELECT * EXCLUDE (object) FROM silver.customers",
        "SELECT value, raw FROM silver.quarantine",
    ):
        masked = command(data, "sql", asked, "--format", "csv")
        clear = command(data, "sql", asked, "--format", "csv", "--unmasked")
        assert found_in(masked, values) == []
        assert ("…" in masked, "…" in clear) == (True, False)
    clear = command(data, "sql", "FROM silver.customers", "--format", "csv", "--unmasked")
    assert found_in(clear, values)


def pages(data: Path) -> Iterator[tuple[str, str]]:
    client = TestClient(create_app(data / "bridge_cart.duckdb"), base_url="http://localhost")
    for path in ("/", "/segments", "/retention", "/customers", "/explore", "/pipeline"):
        yield path, client.get(path).text
    for table in GOLD:
        yield table.name, client.get(f"/export/{table.name}.csv").text


def test_pages_and_exports(shop: tuple[Path, str], values: list[str]) -> None:
    for path, text in pages(shop[0]):
        assert len(text) > 20, path
        assert found_in(text, values) == [], path
