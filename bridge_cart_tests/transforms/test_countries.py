"""Countries come out under one name, from any common spelling or code."""

import subprocess
import sys

import polars as pl
import pytest

from bridge_cart_assets.transforms.countries import read_countries


def read(*texts: str | None, file: str | None = "f") -> list[str | None]:
    rows = pl.DataFrame(
        {"text": texts, "file": [file] * len(texts)},
        schema={"text": pl.String, "file": pl.String},
    )
    return rows.select(read_countries(pl.col("text"), pl.col("file"))).to_series().to_list()


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        (
            "United States",
            (
                *("US", "us", "USA", "U.S.A.", "United States of America", "The United States"),
                *("Estados Unidos", "Vereinigte Staaten", "840"),
            ),
        ),
        ("United Kingdom", ("GB", "UK", "U.K.", "GBR", "Great Britain", "England", "Royaume-Uni")),
        (
            "Germany",
            ("DE", "deu", "GERMANY", "Deutschland", "Allemagne", "Federal Republic of Germany"),
        ),
        ("Czechia", ("CZ", "Czech Republic", "Česko")),
        ("Türkiye", ("TR", "Turkey", "TURKIYE")),
        ("South Korea", ("KR", "Korea, Republic of", "Republic of Korea", "South Korea")),
        ("Côte d\u2019Ivoire", ("CI", "Ivory Coast", "Cote d'Ivoire")),
        ("Ireland", ("IE", "EIRE", "Republic of Ireland")),
        ("Japan", ("JP", "日本", "Japon")),
    ],
)
def test_a_country_comes_out_under_one_name(name: str, texts: tuple[str, ...]) -> None:
    assert read(*texts) == [name] * len(texts)


def test_what_is_no_country_stays_as_received() -> None:
    texts = ("Narnia", "ulm", "European Community", "EU", "Channel Islands", "narnia")
    assert read(*texts) == list(texts)
    assert read(" Narnia ", None, "\\N") == ["Narnia", None, None]


@pytest.mark.parametrize(
    ("others", "file", "expected"),
    [
        (("DE", "fr"), "f", "Namibia"),
        (("DE", None, ""), "f", "Namibia"),
        (("DE", "France"), "f", None),
        ((), "f", None),
        ((None,), "f", None),
        (("DE", "FR"), None, None),
    ],
)
def test_na_is_namibia_in_a_column_of_codes_of_two_letters(
    others: tuple[str | None, ...], file: str | None, expected: str | None
) -> None:
    assert read("NA", *others, file=file)[0] == expected


def test_names_in_other_languages_leave_the_locales_whole() -> None:
    # Babel keeps what is loaded first, so a process of its own.
    program = (
        "import polars as pl; from babel.numbers import format_decimal;"
        "from bridge_cart_assets.transforms.countries import territory;"
        "names = pl.DataFrame({'text': ['Deutschland', 'Nirgendwo']});"
        "names.select(territory(pl.col('text')));"
        "print(format_decimal(1234.5, locale='nn'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout.split() == ["1", "234,5"], done.stderr
