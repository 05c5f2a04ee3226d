"""Names and values of other people as a terminal may show them.

Belongs here: characters that a terminal obeys instead of showing them. Does not belong here: how
something looks (`style`).
"""

import re
import unicodedata
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# Controls, among them escape; marks that turn the direction of reading; separators of lines;
# halves of characters.
_OBEYED = ("Cc", "Cf", "Zl", "Zp", "Cs")
_MAYBE_OBEYED = re.compile(r"[^\x20-\x7e\xa1-\xac\xae-\u02ff]")


def printable(text: str) -> str:
    r"""Text on one line: whatever a terminal would obey is spelt as Python spells it.

    >>> print(printable("a.csv\x1b[2J\r\nrefused: nothing\u202e"))
    a.csv\x1b[2J\r\nrefused: nothing\u202e
    """
    return _MAYBE_OBEYED.sub(_spelt, text)


def printable_lines(text: str) -> str:
    """The same of text that has lines of its own."""
    return "\n".join(map(printable, text.split("\n")))


def _spelt(found: re.Match[str]) -> str:
    character = found[0]
    obeyed = unicodedata.category(character) in _OBEYED
    return ascii(character)[1:-1] if obeyed else character


class EscapingConsole(Console):
    """A console through which no text sends a control to the terminal."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as rich does; controls of its own are no text."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable_lines(segment.text), segment.style)
