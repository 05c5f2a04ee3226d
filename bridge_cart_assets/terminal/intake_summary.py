"""What `run` and `status` say of files that silver has otherwise than they say.

Belongs here: how many lines are shown, and where. Does not belong here: the sentences
(`pipeline.findings`).
"""

from collections.abc import Sequence
from itertools import zip_longest

from rich.console import Console
from rich.text import Text

from bridge_cart_assets.pipeline.findings import FileFinding, findings_in_lines, sums_in_words
from bridge_cart_assets.terminal.escaping import printable
from bridge_cart_assets.terminal.messages import say_warning
from bridge_cart_assets.terminal.style import BAD, WARN, heading

_MOST_LINES = 10
_MOST_WARNINGS = 3


def warn_findings(file_findings: Sequence[FileFinding]) -> None:
    """On stderr the findings that decide about money: whole files first, then the most money."""
    urgent = [finding for finding in file_findings if finding.kind != "unreadable"]
    for line in findings_in_lines(urgent, _MOST_WARNINGS, "see the summary"):
        say_warning(line)


def show_findings(
    file_findings: Sequence[FileFinding], on: Console, rest_in: str, remark: str = ""
) -> None:
    """A line for each finding, ten at most."""
    heading(on, "intake", remark or sums_in_words(file_findings))
    marks = [
        ("FILE ", BAD) if f.is_whole_file else ("warn ", WARN) for f in file_findings[:_MOST_LINES]
    ]
    lines = findings_in_lines(file_findings, _MOST_LINES, rest_in)
    for mark, line in zip_longest(marks, lines, fillvalue=""):
        on.print(Text.assemble(mark, printable(line)), soft_wrap=True)
