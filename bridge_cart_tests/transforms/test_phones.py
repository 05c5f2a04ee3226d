"""Phone numbers: read alone by the library, many of a country together by its plan."""

import random

import phonenumbers
import polars as pl
import pytest

from bridge_cart_assets.transforms.phones import e164

MANY = 300


def read(numbers: list[str], country: str) -> list[str | None]:
    frame = pl.DataFrame({"number": numbers}, schema={"number": pl.String})
    return frame.select(e164(pl.col("number"), pl.lit(country))).to_series().to_list()


def dialled(region: str, chance: random.Random) -> str:
    """A number somebody of a region might write, or might not: near the plan's own examples."""
    plan = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    assert plan is not None
    examples = [
        kind.example_number
        for kind in (plan.fixed_line, plan.mobile, plan.toll_free, plan.uan)
        if kind is not None and kind.example_number
    ]
    example = chance.choice(examples or ["2345678901"])
    kept = chance.randrange(len(example) + 1)
    others = len(example) - kept + chance.choice((0, 0, 0, 1, -1))
    number = example[:kept] + "".join(chance.choices("0123456789", k=max(0, others)))
    before = (plan.national_prefix or "0", "", str(plan.country_code), "0", "00")
    number = chance.choices(before, (50, 30, 10, 5, 5))[0] + number
    written = (number, f"{number[:4]} {number[4:]}", f"({number[:3]}) {number[3:6]}-{number[6:]}")
    return chance.choices(written, (60, 25, 15))[0]


@pytest.mark.parametrize("region", ["DE", "IN", "FR", "GB", "US", "IT", "BR", "MX", "RU", "AR"])
def test_a_number_is_read_the_same_alone_and_among_many(region: str) -> None:
    chance = random.Random(f"numbers of {region}")  # noqa: S311 (no secret)
    numbers = [dialled(region, chance) for _ in range(MANY)]
    together = read(numbers, region)
    assert together == [read([number], region)[0] for number in numbers]
    assert sum(number is not None for number in together) > MANY / 4


def test_many_numbers_of_several_countries_keep_their_places() -> None:
    rows = pl.DataFrame(
        {
            "number": [text for n in range(MANY) for text in (f"0170 {n:07}", f"06 12 34 {n:04}")],
            "country": ["Germany", "France"] * MANY,
        }
    )
    read_rows = rows.select(e164(pl.col("number"), pl.col("country"))).to_series()
    expected = [text for n in range(MANY) for text in (f"+49170{n:07}", f"+33612 34{n:04}")]
    assert read_rows.to_list() == [text.replace(" ", "") for text in expected]
