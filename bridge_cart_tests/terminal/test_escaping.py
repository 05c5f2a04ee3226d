"""Nothing that a shop's file brings is obeyed by a terminal."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from rich.table import Table
from rich.text import Text

from bridge_cart_assets.lake.csv_cells import guarded
from bridge_cart_assets.terminal.escaping import EscapingConsole, printable, printable_lines

EVIL = "a\x1b]0;owned\x07\x1b[2J\r\nok\x9b31m\u202e\u2028"


def test_what_a_terminal_obeys_is_spelt_out() -> None:
    assert printable(EVIL) == r"a\x1b]0;owned\x07\x1b[2J\r\nok\x9b31m\u202e\u2028"
    assert printable_lines("one\ntwo\r") == "one\ntwo\\r"


def test_letters_of_every_script_stay() -> None:
    for text in ("Ünïçödé ß", "日本語", "Ελλάδα", "😀", "a\u00a0b", "tab is no letter\t"[:-1]):
        assert printable(text) == text


def test_a_console_escapes_whatever_is_printed_to_it() -> None:
    out = io.StringIO()
    console = EscapingConsole(file=out, width=200, force_terminal=True, highlight=False)
    table = Table(EVIL)
    table.add_row(EVIL, style="bold")
    for thing in (EVIL, Text(EVIL), table):
        console.print(thing)
    written = out.getvalue()
    # What rich itself sends is colour, nothing else.
    for sent in ("\x1b]", "\x1b[2J", "\x9b", "\u202e", "\u2028", "\x07"):
        assert sent not in written
    assert "\x1b[1m" in written


def command(data: Path, *arguments: str) -> tuple[str, str]:
    """Run the command with both streams at a terminal; what it wrote to it."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge_cart_assets", *arguments],
        env={**os.environ, "BRIDGE_CART_DATA": str(data)},
        capture_output=True,
        check=False,
        timeout=100,
    )
    return done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with duckdb.connect(str(tmp_path / "bridge_cart.duckdb")) as connection:
        connection.execute("CREATE SCHEMA silver; CREATE SCHEMA gold")
        connection.execute("CREATE TABLE gold.t AS SELECT $1 AS v, '=1+1' AS f", [EVIL])
    return tmp_path


def test_values_of_an_answer(data: Path) -> None:
    out, _ = command(data, "sql", f'SELECT v AS "{EVIL[:9]}", v FROM gold.t')
    assert not set(out) & set(EVIL[1:]) - set(printable(EVIL)) - {"\n"}
    assert r"\x1b]0;owned" in out


def test_json_is_json_and_obeyed_by_no_terminal(data: Path) -> None:
    out, _ = command(data, "sql", "SELECT v FROM gold.t", "--format", "json")
    assert json.loads(out) == [{"v": EVIL}]
    assert not {"\x1b", "\x9b", "\u202e", "\u2028", "\r"} & set(out)
    out, _ = command(data, "sql", "SELECT v FROM gold.t WHERE false", "--format", "json")
    assert json.loads(out) == []


def test_csv_is_escaped_at_a_terminal_and_as_it_is_in_a_file(data: Path) -> None:
    out, _ = command(data, "sql", "SELECT v, f FROM gold.t", "--format", "csv")
    assert EVIL in out.replace("\r\n", "\r\n")
    assert out.rstrip().endswith(",'=1+1")
    ours, theirs = pty.openpty()
    subprocess.run(
        [*(sys.executable, "-m", "bridge_cart_assets"), *("sql", "FROM gold.t", "--format", "csv")],
        env={**os.environ, "BRIDGE_CART_DATA": str(data)},
        stdout=theirs,
        check=True,
        timeout=100,
    )
    os.close(theirs)
    shown = os.read(ours, 10_000)
    os.close(ours)
    assert b"\x1b" not in shown
    assert rb"\x1b]0;owned" in shown


def test_names_of_files_folders_and_columns(tmp_path: Path) -> None:
    folder = tmp_path / "landing" / "customers" / "day\x1b[2J"
    folder.mkdir(parents=True)
    (folder / "a\nerror: all is lost\x1b]0;x\x07_2024-01-01.csv").write_text("nothing\n")
    (folder / "b_2024-01-01.csv").write_text("customer_id,co\x1b[31mlour\n1,red\n")
    (tmp_path / "landing" / "no\x1bsource\r").mkdir()
    for verb in (("run",), ("status",), ("doctor",)):
        out, err = command(tmp_path, *verb)
        for stream in (out, err):
            assert "\x1b" not in stream
            assert "\r" not in stream
            assert "\nerror: all is lost" not in stream
        if verb != ("doctor",):
            assert r"day\x1b[2J/a\nerror: all is lost\x1b]0;x\x07" in err + out
            assert r"co\x1b[31mlour" in err + out


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("＝1+1", "'＝1+1"),
        ("＋1+1", "'＋1+1"),
        ("－1+1", "'－1+1"),
        ("＠SUM(1)", "'＠SUM(1)"),
        ("a;=1+1", "a;'=1+1"),
        ("a; ＝1", "a;' ＝1"),
        (' "=1+1', "' \"=1+1"),
        ("\tx", "'\tx"),
        ("-12.50", "-12.50"),
        ("a = b; c-d", "a = b; c-d"),
        ("", ""),
    ],
)
def test_formulas_of_a_spreadsheet(text: str, safe: str) -> None:
    assert guarded(text) == safe
