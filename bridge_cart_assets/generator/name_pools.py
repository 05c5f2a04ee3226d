"""Names and cities out of Faker, drawn by the million.

Faker makes one name at a time. Here it fills a pool per country (and gender) once, and customers
are gathered from the pools by index.

Belongs here: filling pools and gathering from them. Does not belong here: who gets what.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from bridge_cart_assets.generator.markets import MARKETS
from bridge_cart_assets.generator.rng import Floats, Ints, below

FIRST_NAMES = 300
LAST_NAMES = 400
CITIES = 250


@dataclass(frozen=True)
class Pool:
    """Distinct texts in groups, one group behind the other.

    Attributes:
        texts: all groups' texts.
        sizes: how many texts each group has.
    """

    texts: pl.Series
    sizes: Ints

    @classmethod
    def of(cls, groups: Sequence[Sequence[str]]) -> "Pool":
        """A pool of these groups."""
        texts = pl.Series([text for group in groups for text in group], dtype=pl.String)
        return cls(texts, np.array([len(group) for group in groups], dtype=np.int64))

    @cached_property
    def addresses(self) -> pl.Series:
        """Each text as it would stand in an e-mail address: `René-Marie` is `renemarie`."""
        return pl.Series([_ascii(text) for text in self.texts], dtype=pl.String)

    def draw(self, group: Ints, level: Floats) -> Ints:
        """One index into `texts` for every member of `group`, from the group it names.

        Args:
            group: which group.
            level: chance, 0 to 1.
        """
        return self._starts[group] + below(self.sizes[group], level)

    def redraw(self, group: Ints, former: Ints, level: Floats) -> Ints:
        """Like `draw`, and never the former text again where the group has another."""
        size = self.sizes[group]
        step = 1 + below(size - 1, level)
        return self._starts[group] + (former - self._starts[group] + step) % size

    @cached_property
    def _starts(self) -> Ints:
        return np.cumsum(self.sizes) - self.sizes


@dataclass(frozen=True)
class Pools:
    """What people are called and where they live; a group per country, in the order of `MARKETS`.

    Attributes:
        first: first names; group 2 x country is female, the next one male.
        last: last names.
        cities: cities.
    """

    first: Pool
    last: Pool
    cities: Pool


def fill(seed: int) -> Pools:
    """Fill the pools from Faker; the same seed gives the same pools."""
    from faker import Faker

    first, last, cities = [], [], []
    for market in MARKETS:
        faker = Faker(market.locale, use_weighting=False)
        faker.seed_instance(f"{seed} {market.locale}")
        first.append(_distinct(faker.first_name_female, FIRST_NAMES))
        first.append(_distinct(faker.first_name_male, FIRST_NAMES))
        last.append(_distinct(faker.last_name, LAST_NAMES))
        cities.append(_distinct(faker.city, CITIES))
    return Pools(first=Pool.of(first), last=Pool.of(last), cities=Pool.of(cities))


def _distinct(draw: Callable[[], str], draws: int) -> list[str]:
    """The distinct texts of so many draws, in the order of their first appearance.

    Blanks around them go (Faker has an Indian city with one behind its name), and so do texts that
    a CSV file would have to quote: tidy records are plain.
    """
    texts = dict.fromkeys(draw().strip() for _ in range(draws))
    return [text for text in texts if not set(text) & set(',"\r\n')]


def _ascii(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore")
    return "".join(letter for letter in folded.decode().lower() if letter.isalnum())
