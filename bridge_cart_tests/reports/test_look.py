"""Readable by everybody: contrast, table headers, labels."""

import re
from pathlib import Path

import pytest

from bridge_cart_assets import reports
from bridge_cart_tests.reports.markup import Markup, text

CSS = (Path(reports.__file__).parent / "static" / "report.css").read_text()
TEXT = ["ink", "muted", "accent", "good", "bad", *(f"seg-{n}" for n in range(1, 11))]


def themes() -> dict[str, dict[str, str]]:
    light, dark, printed = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    colours = {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for name, block in {"light": light, "dark": dark, "print": printed}.items()
    }
    return {name: {**colours["light"], **own} for name, own in colours.items()}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
@pytest.mark.parametrize("name", TEXT)
def test_text_stands_out_from_what_it_is_on(theme: str, name: str) -> None:
    colours = themes()[theme]
    assert contrast(colours[name], colours["surface"]) >= 4.5
    if not name.startswith("seg-"):
        assert contrast(colours[name], colours["page"]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_stand_out_from_the_surface(theme: str) -> None:
    colours = themes()[theme]
    assert contrast(colours["quiet"], colours["surface"]) >= 3
    assert contrast(colours["surface"], colours["accent"]) >= 4.5


def test_both_themes_have_every_colour() -> None:
    light, dark, _ = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    names = [set(re.findall(r"--([\w-]+):", block)) for block in (light, dark)]
    assert names[0] == names[1]


def test_the_style_sheet_fetches_nothing() -> None:
    assert not re.search(r"url\(|@import|https?:", CSS)


def test_every_table_header_has_a_scope(page: Markup) -> None:
    headers = page.all(".//th")
    assert len(headers) > 50
    assert {th.get("scope") for th in page.all(".//thead//th")} == {"col"}
    assert {th.get("scope") for th in page.all(".//tbody//th")} == {"row"}


def test_ids_are_unique_and_labels_lead_somewhere(page: Markup) -> None:
    ids = [e.get("id") for e in page.root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    labels = {e.get("aria-labelledby") for e in page.root.iter() if e.get("aria-labelledby")}
    assert labels
    assert labels <= set(ids)


def test_pictures_have_a_label_or_are_hidden(page: Markup) -> None:
    pictures = [*page.all(".//svg"), *page.all(".//div[@class='chart']")]
    assert len(pictures) >= 14
    assert all(p.get("aria-hidden") == "true" or p.get("aria-label") for p in pictures)


def test_the_first_link_skips_to_the_figures(page: Markup) -> None:
    first = page.all(".//a")[0]
    assert first.get("href") == "#main"
    assert page["main"].tag == "main"
    assert text(first)


def test_there_is_one_heading_of_the_first_level_and_none_is_left_out(page: Markup) -> None:
    levels = [int(e.tag[1]) for e in page.root.iter() if re.fullmatch(r"h\d", e.tag)]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip([0, *levels], levels, strict=False))


def test_the_page_says_its_language_and_fits_a_phone(page: Markup) -> None:
    assert page.root.get("lang") == "en"
    (viewport,) = page.all(".//meta[@name='viewport']")
    assert viewport.get("content") == "width=device-width, initial-scale=1"
