"""The countries that the shop sells to, and what is particular to each.

Belongs here: facts about countries, as data. Does not belong here: anything that draws.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Market:
    """One country.

    Attributes:
        country: English name.
        region: ISO 3166 code.
        locale: Faker's name for its people and places.
        share: share of the shop's customers.
        income: median yearly income, in the shop's currency.
        calling_code: what follows the plus of an international number.
        mobile_prefixes: beginnings of mobile numbers, without the leading zero.
        mobile_digits: digits of a number without calling code and leading zero.
        national, international: how a number is written; every # is one of those digits.
        payments: how often each of `assortment.PAYMENT_METHODS` is somebody's favourite.
    """

    country: str
    region: str
    locale: str
    share: float
    income: float
    calling_code: str
    mobile_prefixes: tuple[str, ...]
    mobile_digits: int
    national: str
    international: str
    payments: tuple[float, ...]


# American numbers are of the exchange 555, which is kept for directories and for fiction.
MARKETS = (
    Market(
        country="United Kingdom",
        region="GB",
        locale="en_GB",
        share=0.30,
        income=36_000,
        calling_code="44",
        mobile_prefixes=("74", "75", "78"),
        mobile_digits=10,
        national="0#### ######",
        international="+44 #### ######",
        payments=(30, 42, 0, 0, 20, 1, 3, 4),
    ),
    Market(
        country="United States",
        region="US",
        locale="en_US",
        share=0.28,
        income=48_000,
        calling_code="1",
        mobile_prefixes=(
            *("206555", "212555", "213555", "215555", "303555", "305555", "312555", "314555"),
            *("404555", "415555", "503555", "512555", "602555", "612555", "617555", "702555"),
            *("713555", "718555", "801555", "804555", "813555", "904555", "916555", "919555"),
        ),
        mobile_digits=10,
        national="(###) ###-####",
        international="+1 ###-###-####",
        payments=(52, 24, 0, 0, 18, 0, 0, 6),
    ),
    Market(
        country="Germany",
        region="DE",
        locale="de_DE",
        share=0.18,
        income=40_000,
        calling_code="49",
        mobile_prefixes=("1511", "1512", "1515", "1520", "1522", "1525"),
        mobile_digits=11,
        national="0#### #######",
        international="+49 #### #######",
        payments=(14, 10, 0, 0, 44, 2, 27, 3),
    ),
    Market(
        country="France",
        region="FR",
        locale="fr_FR",
        share=0.12,
        income=34_000,
        calling_code="33",
        mobile_prefixes=("61", "62", "66", "67"),
        mobile_digits=9,
        national="0# ## ## ## ##",
        international="+33 # ## ## ## ##",
        payments=(22, 46, 0, 0, 24, 1, 4, 3),
    ),
    Market(
        country="India",
        region="IN",
        locale="en_IN",
        share=0.12,
        income=16_000,
        calling_code="91",
        mobile_prefixes=("90", "97", "98", "99"),
        mobile_digits=10,
        national="0##### #####",
        international="+91 ##### #####",
        payments=(12, 14, 40, 8, 1, 22, 1, 2),
    ),
)
COUNTRIES = tuple(market.country for market in MARKETS)
