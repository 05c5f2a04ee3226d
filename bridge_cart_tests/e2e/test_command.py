"""The `bridge-cart` command as a user meets it: verbs, exit codes, errors in one or two lines."""

import json
import re
from pathlib import Path

import duckdb
import polars as pl
import pytest

from bridge_cart_assets.cli import command as frame
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.faults import kill_target

HEADER = "order_id,customer_id,purchase_date,purchase_amount\n"


def purchases(root: Path, name: str, text: str) -> Path:
    file = root / "landing" / "purchases" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def only_lines(stderr: str, word: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith(word)]


def test_a_shop_from_generate_to_check(tmp_path: Path, command: Command) -> None:
    landed = command("generate", "--customers", "120", "--days", "16", "--dirt", "0.1")
    assert landed.returncode == 0, landed.stderr
    assert "order lines" in landed.stdout

    first = command("run", "--to", "2024-01-10")
    assert first.returncode == 0, first.stderr
    assert "KPIs" in first.stdout
    assert "segments" in first.stdout
    second = command("run")
    assert second.returncode == 0, second.stderr
    again = command("run")
    assert (again.returncode, "nothing new" in again.stdout) == (0, True)

    status = json.loads(command("status", "--json").stdout)
    assert set(status) >= {"tables", "accounting", "files", "checks", "last_run"}
    assert status["as_of"] == status["tables"]["gold/kpis_daily"]["as_of"] == "2024-01-16"
    assert {
        t["as_of"] for p, t in status["tables"].items() if p.startswith(("silver", "gold"))
    } == {"2024-01-16"}
    counts = status["accounting"]["purchases"]
    parts = ("blank", "quarantined", "accepted", "duplicate", "superseded")
    assert counts["records"] == sum(counts[part] for part in parts) > 0
    assert all(check["passed"] for check in status["checks"] if check["blocking"])
    assert status["last_run"]["success"]
    assert set(status["last_run"]) >= {"run_id", "finished_at", "seconds"}

    checked = command("check")
    assert checked.returncode == 0, checked.stderr
    assert "FAIL" not in checked.stdout


@pytest.mark.slow
def test_a_model_is_trained_again_and_a_lake_rebuilt(tmp_path: Path, command: Command) -> None:
    assert command("generate", "--customers", "120", "--days", "16").returncode == 0
    kill_target.run(tmp_path)
    models = 'SELECT count(DISTINCT model_version) AS "n" FROM gold.segment_model'
    [before] = json.loads(command("sql", models, "--format", "json").stdout)
    assert command("retrain").returncode == 0
    [after] = json.loads(command("sql", models, "--format", "json").stdout)
    assert after["n"] == before["n"] + 1
    effective = "SELECT max(effective_from)::VARCHAR AS day FROM gold.segment_model"
    assert command("sql", effective, "--format", "csv").stdout == "day\n2024-01-16\n"

    revenue = "SELECT sum(revenue) AS revenue FROM gold.kpis_daily"
    before = command("sql", revenue, "--format", "csv").stdout
    rebuilt = command("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert json.loads(command("sql", models, "--format", "json").stdout) == [{"n": 1}]
    assert command("sql", revenue, "--format", "csv").stdout == before


@pytest.mark.slow
def test_a_file_whose_content_was_taken_is_named_by_run(tmp_path: Path, command: Command) -> None:
    text = HEADER + "o1,C1,2024-01-05,10\n"
    purchases(tmp_path, "orders_2024-01-01_2024-01-31.csv", text)
    assert "adds nothing" not in command("run").stderr
    purchases(tmp_path, "until_2024-02-01.csv", text)
    again = command("run")
    assert again.returncode == 0
    assert (
        "warning: purchases/until_2024-02-01.csv adds nothing: its content was taken as "
        "orders_2024-01-01_2024-01-31.csv of 2024-01-31"
    ) in again.stderr.splitlines()


def test_the_catalogue_has_gold_tables_silver_views_comments_and_an_old_format(
    tmp_path: Path,
) -> None:
    purchases(tmp_path, "2024-01-01.csv", HEADER + "O1,C1,2024-01-01,10\n")
    kill_target.run(tmp_path)

    with duckdb.connect(str(tmp_path / "bridge_cart.duckdb"), read_only=True) as connection:
        kinds = dict(
            connection.execute(
                "SELECT table_schema || '.' || table_name, table_type"
                " FROM information_schema.tables"
            ).fetchall()
        )
        comment = connection.execute(
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'kpis_daily'"
            " AND column_name = 'aov'"
        ).fetchall()
        version = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal"
        ).fetchall()
    assert kinds["gold.kpis_daily"] == "BASE TABLE"
    assert kinds["silver.purchases"] == "VIEW"
    assert comment == [("revenue / orders; null without orders",)]
    assert "v1.0" in version[0][0]


@pytest.mark.slow
def test_a_shop_goes_on_like_a_calendar(tmp_path: Path, command: Command) -> None:
    begun = command("generate", "--customers", "150", "--newcomers", "2", "--until", "2024-01-20")
    assert begun.returncode == 0, begun.stderr
    kill_target.run(tmp_path)
    more = command("generate", "--until", "2024-01-27")
    assert (more.returncode, "7 days" in more.stdout) == (0, True), more.stderr
    kill_target.run(tmp_path)
    assert json.loads(command("status", "--json").stdout)["as_of"] == "2024-01-27"
    again = command("generate", "--until", "2024-01-27")
    assert (again.returncode, "landed already" in again.stdout) == (0, True)

    other = command("generate", "--until", "2024-02-01", "--seed", "8")
    assert other.returncode == 2
    assert only_lines(other.stderr, "error:") == other.stderr.splitlines()
    assert "another shop" in other.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "--customers and --days"),
        (["--customers", "5"], "--customers and --days"),
        (["--until", "2024-02-01"], "there is no shop"),
        (["--customers", "5", "--days", "2", "--until", "2024-02-01"], "together"),
        (["--customers", "5", "--until", "2023-12-31"], "begins on 2024-01-01"),
        (["--customers", "0", "--days", "3"], "customers=0"),
        (["--customers", "5", "--days", "-3"], "days=-3"),
        (["--customers", "5", "--days", "3", "--newcomers", "-1"], "newcomers=-1"),
        (["--customers", "5", "--days", "3", "--dirt", "1.5"], "dirt=1.5"),
        (["--customers", "5", "--days", "3", "--defect", "orphan=2"], "orphan=2"),
        (["--customers", "5", "--days", "3", "--defect", "orphan"], "KIND=RATE"),
        (["--customers", "5", "--days", "3", "--defect", "dust=0.1"], "'dust' is no kind"),
        (["--customers", "5", "--days", "3", "--format", "xml"], "xml"),
        (
            ["--customers", "5", "--days", "3", "--defect", "orphan=0.1", "--defect", "orphan=0.2"],
            "said twice",
        ),
        (["--customers", "5", "--days", "3", "--format", "parquet", "--gz"], "Parquet"),
    ],
)
def test_wrong_arguments_of_a_shop_are_refused_in_one_line(
    tmp_path: Path, command: Command, options: list[str], says: str
) -> None:
    done = command("generate", *options)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert says in done.stderr
    assert not (tmp_path / "landing").exists()


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (["walk"], {}, 2, "walk"),
        (["run", "--sideways"], {}, 2, "--sideways"),
        (["run", "--source", "orders"], {}, 2, "orders"),
        (["run", "--from", "2024-02-01", "--to", "2024-01-01"], {}, 2, "2024-02-01"),
        (["run", "--from", "yesterday"], {}, 2, "yesterday"),
        (["generate", "--customers", "-1", "--days", "3"], {}, 2, "-1"),
        (["generate", "--customers", "5", "--days", "3", "--dirt", "2"], {}, 2, "2"),
        (["run"], {"BRIDGE_CART_START_DATE": "01/01/2024"}, 2, "BRIDGE_CART_START_DATE"),
        (["run"], {"BRIDGE_CART_REPORT_PORT": "99999"}, 2, "BRIDGE_CART_REPORT_PORT"),
        (["run"], {"BRIDGE_CART_LAKE": "ftp://host/lake"}, 2, "BRIDGE_CART_LAKE"),
        (["run"], {"BRIDGE_CART_ENGINE": "abacus"}, 2, "BRIDGE_CART_ENGINE"),
        (["run"], {}, 1, "landing"),
        (["sql", "SELECT 1"], {}, 1, "bridge-cart run"),
        (["retrain"], {}, 1, "run first"),
    ],
)
def test_wrong_use_is_two_lines_at_most_and_leaves_nothing(
    tmp_path: Path,
    command: Command,
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    says: str,
) -> None:
    done = command(*arguments, **environment)

    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM gold.kpis_daily",
        "CREATE TABLE x (a INT)",
        "COPY (SELECT 1) TO 'must-not-exist.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'must-not-exist.csv'",
        "SELECT 1; SELECT 2",
        "ATTACH ':memory:' AS other",
        "SELEC 1",
        "SELECT * FROM gold.nothing",
    ],
)
def test_sql_that_would_write_or_is_wrong_is_refused(
    tmp_path: Path, command: Command, statement: str, catalogue: Path
) -> None:
    (tmp_path / "bridge_cart.duckdb").write_bytes(catalogue.read_bytes())

    done = command("sql", statement)

    assert done.returncode == 1
    assert 1 <= len(done.stderr.strip().splitlines()) <= 2
    assert not Path("must-not-exist.csv").exists()


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with one small table."""
    path = tmp_path_factory.mktemp("catalogue") / "c.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA gold; CREATE TABLE gold.kpis_daily AS SELECT 1 AS day")
    return path


@pytest.mark.slow
def test_a_file_that_cannot_be_taken_is_named_and_the_rest_is_taken(
    tmp_path: Path, command: Command
) -> None:
    purchases(tmp_path, "2024-01-01.csv", HEADER + "O1,C1,2024-01-01,10\n")
    bad = purchases(tmp_path, "2024-01-02.csv", "order_id,customer_id\nO2,C2\n")

    done = command("run")
    assert done.returncode == 0, done.stderr
    warnings = only_lines(done.stderr, "warning: purchases/2024-01-02.csv was refused")
    assert len(warnings) == 1
    assert "HEADER_MISMATCH" in warnings[0]
    files = json.loads(command("status", "--json").stdout)["files"]
    assert [(f["object"], f["reason"]) for f in files] == [("2024-01-02.csv", "HEADER_MISMATCH")]
    assert "HEADER_MISMATCH" in command("run").stderr

    bad.write_text(HEADER + "O2,C2,2024-01-02,20\n")
    assert command("run").returncode == 0
    status = json.loads(command("status", "--json").stdout)
    assert (status["files"], status["tables"]["silver/purchases"]["rows"]) == ([], 2)


def test_a_table_with_another_schema_is_refused_with_the_difference(
    tmp_path: Path, command: Command
) -> None:
    purchases(tmp_path, "2024-01-01.csv", HEADER + "O1,C1,2024-01-01,10\n")
    pl.DataFrame({"day": ["2024-01-01"]}).write_delta(tmp_path / "lake" / "gold" / "kpis_daily")

    done = command("run")

    assert done.returncode == 1
    errors = done.stderr[done.stderr.index("error:") :].strip().splitlines()
    assert len(errors) <= 2
    assert "gold/kpis_daily" in errors[0]
    assert "differs" in errors[0]


@pytest.mark.slow
def test_a_torn_commit_is_named_by_run_and_mended_by_doctor(
    tmp_path: Path, command: Command
) -> None:
    purchases(tmp_path, "2024-01-01.csv", HEADER + "O1,C1,2024-01-01,10\n")
    kill_target.run(tmp_path)
    assert "sound" in command("doctor").stdout
    purchases(tmp_path, "2024-01-02.csv", HEADER + "O2,C2,2024-01-02,20\n")
    kill_target.run(tmp_path)
    entry = max((tmp_path / "lake/raw/purchases/_delta_log").glob("[0-9]*.json"))
    entry.write_bytes(entry.read_bytes()[:-9])

    for verb in ("run", "retrain", "rebuild"):
        torn = command(verb)
        assert torn.returncode == 1
        errors = torn.stderr[torn.stderr.index("error:") :].strip().splitlines()
        assert len(errors) == 2
        assert "raw/purchases" in errors[0]
        assert "bridge-cart doctor" in errors[1]
    mended = command("doctor")
    assert (mended.returncode, "will be taken again" in mended.stdout) == (0, True), mended.stderr
    kill_target.run(tmp_path)
    amounts = "SELECT sum(revenue)::INT AS r, sum(orders)::INT AS o FROM gold.kpis_daily"
    assert json.loads(command("sql", amounts, "--format", "json").stdout) == [{"r": 30, "o": 2}]


def test_a_panic_of_a_library_is_an_error_like_any_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def panics(**arguments: object) -> None:
        raise pl.exceptions.PanicException("Too many open files")

    monkeypatch.setattr(frame, "cli", panics)
    with pytest.raises(SystemExit) as leave:
        frame.main()
    assert (leave.value.code, capsys.readouterr().err) == (1, "error: Too many open files\n")


def test_debug_shows_the_traceback(process: Command) -> None:
    assert "Traceback" in process("--debug", "run").stderr


def test_every_verb_says_what_it_does(command: Command) -> None:
    shown = command("--help").stdout
    for verb in (
        "generate",
        "run",
        "status",
        "check",
        "sql",
        "retrain",
        "rebuild",
        "doctor",
        "report",
    ):
        assert re.search(rf"^\s+{verb}\s+\S", shown, re.MULTILINE), verb
