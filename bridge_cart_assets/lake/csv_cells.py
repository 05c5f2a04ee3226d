"""Cells of CSV that people open in a spreadsheet.

Belongs here: text that a spreadsheet would run. Does not belong here: which rows are written.
"""

import re
import unicodedata

# Where a formula may begin: at the beginning, and behind a semicolon, where a spreadsheet's
# language divides cells by it and so sees no quotes around this one.
_FORMULA = re.compile(r"(?:^|(?<=;))(?=[\s\"]*[=+\-@])|^(?=[\t\r\n])")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def guarded(text: str) -> str:
    """Text with an apostrophe before each formula.

    A spreadsheet of East Asia reads full-width signs as the narrow ones.

    >>> [guarded(text) for text in ("-1.5", "=1+1", "＝1+1", "Anna", "a;=1+1", "  +1+1")]
    ['-1.5', "'=1+1", "'＝1+1", 'Anna', "a;'=1+1", "'  +1+1"]
    """
    if _NUMBER.fullmatch(text):
        return text
    # Sign by sign, so that places stay the same.
    narrow = text if text.isascii() else "".join(map(_narrow, text))
    for found in reversed(list(_FORMULA.finditer(narrow))):
        text = f"{text[: found.start()]}'{text[found.start() :]}"
    return text


def _narrow(character: str) -> str:
    found = unicodedata.normalize("NFKC", character)
    return found if len(found) == 1 else character
