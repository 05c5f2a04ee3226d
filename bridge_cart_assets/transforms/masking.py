"""Names that are somebody's data: masked wherever they go outside raw.

Belongs here: what looks like an address or a number of a person. Does not belong here: values in
personal columns (`tables`).

The header of a file without one is a record, and programs name files after people.
"""

import re
from datetime import datetime

MASK = "…"
# It begins where a word does: tried at every letter, a long name would take hours.
_LETTER = r"[^\s@/\\,;:<>()\"']"
_ADDRESS = re.compile(rf"(?<!{_LETTER}){_LETTER}++@{_LETTER}+")
# Digits in a row (forty and more are no number of anybody), or with what people write between them.
_NUMBER = re.compile(r"(?<![^\W_])(\+|00(?=[1-9]))?\(?[0-9](?:[ ().\-/]{0,2}[0-9]){6,40}(?![^\W_])")
_DAYS = ("%Y-%m-%d", "%Y%m%d", "%d-%m-%Y", "%d.%m.%Y", "%Y.%m.%d", "%Y/%m/%d", "%d/%m/%Y")
_CARD_DIGITS = range(13, 20)


def masked_name(name: str) -> str:
    """The name of a column, without addresses and numbers of seven digits and more.

    >>> [masked_name(n) for n in ("note", "ada@example.org", "07700 900123", "2024-01-31", "q4")]
    ['note', '…@…', '…', '2024-01-31', 'q4']
    """
    return _NUMBER.sub(_mask_number, _ADDRESS.sub(f"{MASK}@{MASK}", name))


def masked_path(path: str) -> str:
    """The path of a file, without addresses, international phone numbers and card numbers.

    Days, times and numbers of orders stay: people need them to find the file.

    >>> masked_path("2024-01-31/ada@example.org/+44 7700 900123.csv")
    '2024-01-31/…@…/….csv'
    >>> masked_path("orders_2024-01-01_2024-01-31_1700000000.csv")
    'orders_2024-01-01_2024-01-31_1700000000.csv'
    """
    return _NUMBER.sub(_mask_personal, _ADDRESS.sub(_mask_address, path))


def _mask_address(found: re.Match[str]) -> str:
    # The ending of a file's name is none of an address.
    ending = re.search(r"(?:\.(?:csv|tsv|txt|json|ndjson|jsonl|parquet|xlsx|gz))+$", found[0])
    return f"{MASK}@{MASK}{ending[0] if ending else ''}"


def _mask_number(found: re.Match[str]) -> str:
    return found[0] if _is_day(found[0]) else MASK


def _mask_personal(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found[0])
    is_card = len(digits) in _CARD_DIGITS and _has_check_digit(digits)
    return MASK if found[1] or is_card else found[0]


def _is_day(text: str) -> bool:
    for form in _DAYS:
        try:
            return 1900 < datetime.strptime(text, form).year < 2200
        except ValueError:
            continue
    return False


def _has_check_digit(digits: str) -> bool:
    """Whether the last digit is the one that cards have (Luhn, ISO/IEC 7812)."""
    doubled = [sum(divmod(2 * int(d), 10)) for d in digits[-2::-2]]
    return (sum(doubled) + sum(int(d) for d in digits[::-2])) % 10 == 0
