"""What a user can say and can meet is documented: verbs, options, variables, codes, checks."""

import re
from pathlib import Path

import click
import pytest

import bridge_cart_assets
from bridge_cart_assets.checks.registry import checks_of
from bridge_cart_assets.cli import cli
from bridge_cart_assets.dictionary import all_tables
from bridge_cart_assets.pipeline.stored_tables import PUBLISHED_TABLES, RAW_TABLES
from bridge_cart_assets.reports.pipeline.reasons import OF_FILES, OF_RECORDS

PACKAGE = Path(bridge_cart_assets.__file__).parent
DOCS = PACKAGE.parent / "docs"
README = (PACKAGE.parent / "README.md").read_text()
PAGES = {page.stem: page.read_text() for page in DOCS.glob("*.md")}
EVERYTHING = README + "".join(PAGES.values())
VERBS = {name: verb for name, verb in cli.commands.items() if isinstance(verb, click.Command)}
OPTIONS = [
    (verb, option)
    for verb, command in VERBS.items()
    for parameter in command.params
    if isinstance(parameter, click.Option)
    for option in parameter.opts
    if option.startswith("--")
]
VARIABLES = sorted(
    set(re.findall(r"BRIDGE_CART_[A-Z_]*[A-Z]\b", (PACKAGE / "settings.py").read_text()))
)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_in_the_readme_with_an_example(verb: str) -> None:
    assert re.search(rf"^\| `{verb}` \| .+ \| `[^`]*bridge-cart {verb}\b[^`]*` \|$", README, re.M)


@pytest.mark.parametrize(("verb", "option"), OPTIONS)
def test_every_option_is_documented(verb: str, option: str) -> None:
    assert re.search(rf"{option}\b", EVERYTHING), f"{verb} {option}"


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_is_in_the_page_on_operations_or_on_kafka(variable: str) -> None:
    assert variable in PAGES["operations"] + PAGES["kafka"]


@pytest.mark.parametrize("code", [*OF_RECORDS, *OF_FILES])
def test_every_reason_is_documented(code: str) -> None:
    assert f"`{code}`" in EVERYTHING


@pytest.mark.parametrize("table", [*RAW_TABLES, *PUBLISHED_TABLES], ids=lambda table: table.path)
def test_every_check_is_in_the_table_of_checks(table: object) -> None:
    names = {check.name for check in checks_of(table)}  # type: ignore[arg-type]
    assert {name for name in names if f"`{name}`" not in PAGES["checks"]} == set()


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.path)
def test_every_table_is_in_the_data_dictionary(table: object) -> None:
    assert f"\n## {table.path}\n" in PAGES["data_dictionary"]  # type: ignore[attr-defined]
