"""The documentation's examples run: every SQL block, and every bridge-cart line of the README."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge_cart_assets.generator.shop import Shop, generate
from bridge_cart_assets.lake.query import query
from bridge_cart_assets.pipeline.chain import refresh_gold, refresh_silver
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.alerts.receivers import webhook
from bridge_cart_tests.conftest import Command

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found in re.finditer(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL):
            yield page.name, found[1].strip().rstrip(";")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue of a small shop."""
    from datetime import UTC, datetime

    from bridge_cart_assets.lake.catalogue import build_catalogue
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.gold import GOLD_TABLES
    from bridge_cart_assets.sources import SOURCES
    from bridge_cart_assets.tables import meta
    from bridge_cart_assets.tables.ops import TABLES as OPS
    from bridge_cart_assets.tables.silver import TABLES

    root = tmp_path_factory.mktemp("docs")
    settings = Settings(data=root, lake=str(root / "lake"))
    generate(Shop(customers=300, days=120), root)
    lake = Lake(settings.lake)
    refresh_silver(lake, settings.landing, settings=settings.silver)
    refresh_gold(lake)
    raw = [source.raw for source in SOURCES]
    copied = (*GOLD_TABLES, *OPS)
    run_metadata = [(table, table.empty()) for table in meta.TABLES]
    build_catalogue(
        settings.catalogue, lake, copied, TABLES, raw, "docs", datetime.now(UTC), run_metadata
    )
    return settings.catalogue


@pytest.mark.parametrize(("page", "statement"), list(blocks("sql")))
def test_every_sql_block_of_the_docs_runs(catalogue: Path, page: str, statement: str) -> None:
    assert query(catalogue, statement).columns, page


def test_the_readme_asks_questions_in_sql() -> None:
    assert sum(page == "README.md" for page, _ in blocks("sql")) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists(), target


COMMANDS = [
    line.split("bridge-cart ", 1)[1]
    for line in re.findall(
        r"^(?:[\w=/]+ )?bridge-cart .+$|`(?:[\w=/]+ )?bridge-cart [a-z]+ ?[^`]*`",
        (ROOT / "README.md").read_text(),
        re.MULTILINE,
    )
    if "…" not in line
]


@pytest.mark.slow
def test_every_bridge_cart_line_of_the_readme_runs(command: Command, tmp_path: Path) -> None:
    """In their order, on a small shop; what serves until Ctrl-C or needs brokers is left out."""
    generate(Shop(customers=60, days=70), tmp_path)
    assert len(COMMANDS) > 10
    with webhook() as hook:
        to = {"BRIDGE_CART_ALERT_WEBHOOK": hook.address}
        for line in COMMANDS:
            verb, *options = shlex.split(line.rstrip("`"))
            if verb in ("report", "topics", "generate") or "VERB" in options:
                continue
            done = command(verb, *options, **(to if verb == "alert" else {}))
            assert done.returncode == 0, (line, done.stderr)
    assert hook.bodies
