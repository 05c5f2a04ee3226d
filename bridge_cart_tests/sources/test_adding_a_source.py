"""The page on adding a source, followed word by word in a copy of the package."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bridge_cart_assets
from bridge_cart_tests.conftest import environment_of

PACKAGE = Path(bridge_cart_assets.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "adding-a-source.md").read_text()
LINES = """
import json, sys
from pathlib import Path
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.chain import refresh_silver
from bridge_cart_assets.tables.silver import ACCOUNTING, PURCHASES, QUARANTINE
from bridge_cart_assets.sources import SOURCES
data = Path(sys.argv[1])
lake = Lake(str(data / "lake"))
refresh_silver(lake, data / "landing", sources=SOURCES)
def rows(table, *columns):
    return lake.snapshot(table).read().sort(*columns[:2]).select(columns).rows()
print(json.dumps([
    rows(PURCHASES, "order_id", "line_number", "customer_id", "net_amount", "kind", "currency",
         "payment_method", "purchase_day", "guessed"),
    rows(QUARANTINE, "source", "pos", "reason", "value"),
    rows(ACCOUNTING, "source", "records", "raw_records", "blank", "accepted", "quarantined"),
], default=str))
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package with the page's two sources, and their files beside it."""
    root = tmp_path / "clone"
    shutil.copytree(PACKAGE, root / "bridge_cart_assets", ignore=shutil.ignore_patterns("__pyc*"))
    sources = root / "bridge_cart_assets" / "sources"
    names = re.findall(r"^`bridge_cart_assets/sources/(\w+\.py)`:$", PAGE, re.MULTILINE)
    assert names == ["till.py", "telephone.py"]
    for name, code in zip(names, blocks("python"), strict=True):
        (sources / name).write_text(code)
    for change in blocks("diff"):
        apply(sources / "__init__.py", change.splitlines())
    saved = re.findall(r"^Save the \w+ as `([^`]+)`", PAGE, re.MULTILINE)
    for name, text in zip(saved, blocks("text") + blocks("json"), strict=True):
        (root / name).write_text(text)
    return root


def apply(path: Path, change: list[str]) -> None:
    """Put the lines with a plus behind the line that stands above them in the change."""
    text = path.read_text()
    before = ""
    for line in change:
        if line.startswith("+") and before:
            assert text.count(f"{before}\n)") == 1, before
            text = text.replace(f"{before}\n)", f"{before}\n{line[1:]}\n)")
        elif line.startswith("+"):
            text = text.replace("\n\nSOURCES", f"\n{line[1:]}\n\nSOURCES")
        before = line[1:] if line.startswith("     ") else ""
    path.write_text(text)


def python(package: Path, data: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=package,
        env={**environment_of(data), "PYTHONPATH": str(package), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def commands() -> list[list[str]]:
    return [line.split()[1:] for block in blocks("sh") for line in block.splitlines()]


def land(package: Path, data: Path) -> None:
    for verb, source, name, *_ in commands():
        assert verb == "try"
        folder = data / "landing" / source
        folder.mkdir(parents=True)
        shutil.copy2(package / name, folder)


def table(first_cell: str) -> list[tuple[str, ...]]:
    """The rows of the page's tables whose first cell begins so."""
    rows = re.findall(rf"^\| ({first_cell}-.*) \|$", PAGE, re.MULTILINE)
    return [tuple(row.split(" | ")) for row in rows]


def test_try_shows_what_the_page_says(package: Path, tmp_path: Path) -> None:
    till, telephone = (
        python(package, tmp_path, "-m", "bridge_cart_assets", *words) for words in commands()
    )
    assert (till.stderr, telephone.stderr) == ("", "")
    assert "BAD_DATE" in till.stdout
    assert "soon" in till.stdout
    assert till.stdout.count("as received") == 2
    assert "24.00" in till.stdout
    assert "no line: counted as blank" in telephone.stdout
    assert not (tmp_path / "lake").exists()


def test_what_stands_in_silver_is_what_the_page_says(package: Path, tmp_path: Path) -> None:
    land(package, tmp_path)
    done = python(package, tmp_path, "-c", LINES, str(tmp_path))
    assert done.returncode == 0, done.stderr
    purchases, refused, counts = json.loads(done.stdout)
    found = {(order, f"{line}"): rest for order, line, *rest in purchases}
    for order, line, customer, net, kind, _ in table("K"):
        owner = None if customer == "null" else customer
        assert found[order, line][:3] == [owner, net, kind]
    for order, line, net, kind, _ in table("T"):
        assert found[order, line][:3] == [None, net, kind]
    assert len(found) == len(table("K")) + len(table("T")) == 8
    assert {rest[3] for rest in found.values()} == {"EUR"}
    assert [found["K-1", line][4] for line in ("1", "2")] == ["credit_card"] * 2
    assert found["T-1", "3"][5] == "2024-09-29"
    assert {rest[6] for rest in found.values()} == {None}
    assert refused == [["till", 5, "BAD_DATE", "soon"]]
    assert counts == [["telephone", 5, 3, 1, 4, 0], ["till", 5, 5, 0, 4, 1]]


@pytest.mark.slow
def test_a_run_takes_the_new_sources(package: Path, tmp_path: Path) -> None:
    land(package, tmp_path)
    done = python(package, tmp_path, "-m", "bridge_cart_assets", "run")
    assert done.returncode == 0, done.stderr
    asked = "SELECT count(*) AS n FROM silver.purchases WHERE source IN ('till', 'telephone')"
    rows = python(package, tmp_path, "-m", "bridge_cart_assets", "sql", asked, "--format", "csv")
    assert rows.stdout.split() == ["n", "8"]


@pytest.mark.parametrize("name", ["till.py", "telephone.py"])
def test_the_examples_pass_the_linter(package: Path, name: str) -> None:
    path = package / "bridge_cart_assets" / "sources" / name
    config = str(PACKAGE.parent / "pyproject.toml")
    for tool in (["check"], ["format", "--check"]):
        done = python(package, package, "-m", "ruff", *tool, "--config", config, str(path))
        assert done.returncode == 0, done.stdout + done.stderr
