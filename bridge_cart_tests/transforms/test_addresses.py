"""An e-mail address is one address in every form that programs give it."""

import polars as pl
import pytest

from bridge_cart_assets.transforms.addresses import address_key, read_email


def read(text: str | None) -> str | None:
    texts = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    found: str | None = texts.select(read_email(pl.col("text"))).item()
    return found


@pytest.mark.parametrize(
    "written",
    [
        "ada@example.org",
        "  ADA@Example.ORG\t",
        "<ada@example.org>",
        "mailto:ada@example.org",
        "<mailto:Ada@example.org>",
        "'ada@example.org",
        '="ada@example.org"',
        '"ada@example.org"',
        "ada@example.org;",
        "ada@example.org,",
        "\u200bada@example.org",
    ],
)
def test_what_programs_put_around_an_address_is_none_of_it(written: str) -> None:
    assert read(written) == "ada@example.org"


def test_an_address_is_the_same_in_every_unicode_form() -> None:
    assert read("zoe\u0308@example.org") == read("zo\u00eb@example.org") == "zo\u00eb@example.org"


@pytest.mark.parametrize("written", [None, "", "n/a", "ada", "ada@", "a da@example.org", "@", "<>"])
def test_what_is_no_address_is_none(written: str | None) -> None:
    assert read(written) is None


def test_forms_of_one_address_have_one_key() -> None:
    texts = pl.DataFrame({"text": ["<Ada@example.org>", "ada@example.org", "bob@example.org"]})
    keys = texts.select(address_key(read_email(pl.col("text")), b"key")).to_series()
    assert keys[0] == keys[1] != keys[2]
