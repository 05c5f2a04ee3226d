"""A reader of a history: opens the catalogue, the Delta tables and the page, again and again.

    python -m bridge_cart_tests.faults.history_reader NAME DATA HISTORY PORT

writes each read down in HISTORY, and ends when its stdin is closed. It knows nothing of the
product: it reads with DuckDB, delta-rs and HTTP, as other programs do.

Belongs here: what a read asks for. Does not belong here: what it may see (`history_checker`).
"""

import csv
import io
import select
import sys
import urllib.request
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable

from bridge_cart_tests.faults.history import (
    READ_CATALOGUE,
    READ_DELTA,
    READ_PAGE,
    Call,
    Recorder,
    now,
)
from bridge_cart_tests.faults.numbered_files import CENTS, Seen, seen_in

PAUSE_SECONDS = 0.15
# Tables of gold whose amounts add up to those of all lines, and the column that has them.
TOTALS = {"kpis_daily": "revenue", "customer_features": "revenue", "sales_daily": "revenue"}
Outcome = dict[str, Any]


def read_catalogue(data: Path) -> Outcome:
    """All that one catalogue says, through one connection."""
    with duckdb.connect(str(data / "bridge_cart.duckdb"), read_only=True) as connection:
        lines = connection.execute(
            "SELECT order_id, count(*), any_value(net_amount) FROM silver.purchases GROUP BY ALL"
        ).fetchall()
        totals = {
            table: cents(one(connection, f"SELECT sum({column}) FROM gold.{table}"))
            for table, column in TOTALS.items()
        }
        versions = connection.execute(
            "SELECT layer || '/' || name, version FROM meta.tables WHERE version IS NOT NULL"
        ).fetchall()
        return {
            "finished_at": one(connection, "SELECT epoch(finished_at) FROM meta.run"),
            "versions": dict(versions),
            "silver": as_json(seen_in((o, n, cents(amount)) for o, n, amount in lines)),
            "totals": totals,
            "accounted": one(connection, "SELECT sum(records) FROM silver.accounting"),
        }


def read_delta(data: Path) -> Outcome:
    """The current versions of some tables, gold first and raw last."""
    versions, totals = {}, {}
    with duckdb.connect() as connection:
        for table, column in TOTALS.items():
            files, versions[f"gold/{table}"] = current(data, f"gold/{table}")
            totals[table] = cents(ask(connection, f"SELECT sum({column}) FROM $", files))
        files, versions["silver/purchases"] = current(data, "silver/purchases")
        query = "SELECT list((order_id, n, net)) FROM (SELECT order_id, count(*) n,"
        lines = ask(connection, f"{query} any_value(net_amount) net FROM $ GROUP BY ALL)", files)
        files, versions["raw/purchases"] = current(data, "raw/purchases")
        raw = ask(
            connection,
            "SELECT list((_object, n, d)) FROM (SELECT _object, count(*) n, count(DISTINCT _pos) d"
            " FROM $ GROUP BY ALL)",
            files,
        )
    return {
        "versions": versions,
        "silver": as_json(seen_in((o, n, cents(amount)) for o, n, amount in lines or ())),
        "totals": totals,
        "raw": {name: [records, places] for name, records, places in raw or ()},
    }


def read_page(port: int) -> Outcome:
    """What the page exports of the daily figures, and what it says of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/export/kpis_daily.csv") as answer:
        rows = csv.DictReader(io.StringIO(answer.read().decode("utf-8-sig")))
        total = sum((Decimal(row["revenue"]) for row in rows), Decimal(0))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
        return {"totals": {"kpis_daily": cents(total)}, "status": answer.read().decode()}


def current(data: Path, path: str) -> tuple[list[str], int]:
    """The files of a table, and its version."""
    table = DeltaTable(str(data / "lake" / path))
    return table.file_uris(), table.version()


def ask(connection: duckdb.DuckDBPyConnection, query: str, files: list[str]) -> Any:
    """One value of a question to some files; None of none."""
    if not files:
        return None
    listed = ", ".join(f"'{file}'" for file in files)
    return one(connection, query.replace("$", f"read_parquet([{listed}], union_by_name = true)"))


def one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    """One value."""
    [(value,)] = connection.execute(query).fetchall()
    return value


def cents(amount: Decimal | None) -> int:
    """An amount in cents; nothing is none."""
    return int((amount or Decimal(0)) * CENTS)


def as_json(seen: Seen) -> Mapping[str, Any]:
    """What was seen, as a line of the history has it."""
    return {**seen.__dict__, "files": sorted(seen.files)}


def main() -> None:
    """Read until stdin is closed."""
    name, data, history, port = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    recorder = Recorder(history)
    reads: dict[str, Callable[[], Outcome]] = {
        READ_CATALOGUE: lambda: read_catalogue(data),
        READ_DELTA: lambda: read_delta(data),
        **({READ_PAGE: lambda: read_page(port)} if port else {}),
    }
    for operation, read in cycle(reads.items()):
        invoked = now()
        try:
            outcome: Outcome = {"code": 0, **read()}
        except Exception as error:  # noqa: BLE001 (written down, and judged by the checker)
            outcome = {"code": 1, "error": f"{type(error).__name__}: {error}"[:500]}
        recorder.write(Call(name, operation, {}, invoked, now(), outcome))
        if select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
            break


if __name__ == "__main__":
    main()
