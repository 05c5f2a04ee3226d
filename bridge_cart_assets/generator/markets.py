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


# Mobile numbers that belong to no one. American (555-01…), British (07700 900…) and French ones (06
# 39 98…) are kept for fiction by the countries' regulators and are few, so some customers share
# one. German 0165 and 0166 and Indian 50… and 39… are of the right length and have not been given
# out (by the numbering plans in phonenumbers 9).
MARKETS = (
    Market(
        country="United Kingdom",
        region="GB",
        locale="en_GB",
        share=0.30,
        income=36_000,
        calling_code="44",
        mobile_prefixes=("7700900",),
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
        mobile_prefixes=tuple(
            f"{area}55501"
            for area in (
                *(206, 212, 213, 215, 303, 305, 312, 314, 404, 415, 503, 512),
                *(602, 612, 617, 702, 713, 718, 801, 804, 813, 904, 916, 919),
            )
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
        mobile_prefixes=("165", "166"),
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
        mobile_prefixes=("63998",),
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
        mobile_prefixes=("50", "39"),
        mobile_digits=10,
        national="0##### #####",
        international="+91 ##### #####",
        payments=(12, 14, 40, 8, 1, 22, 1, 2),
    ),
)
COUNTRIES = tuple(market.country for market in MARKETS)
