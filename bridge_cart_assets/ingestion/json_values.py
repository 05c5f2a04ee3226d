"""JSON over several lines: an array of objects, or objects one behind the other.

Belongs here: where one value ends and the next begins. Does not belong here: what an object says
(`json_records`).

Each value is cut out as the bytes that it is, so that its numbers keep their spelling and one that
is no record costs itself only. Where a value cannot be told from the next the file is refused.
"""

import json

from bridge_cart_assets.ingestion.file_kinds import is_json
from bridge_cart_assets.ingestion.files import FileRefusedError

_SPACE = b" \t\r\n"
# Numbers are passed over, not read: there is one of any length.
_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)
# A word that is cut off by the end of what has been read is shorter than that.
_LONGEST_WORD = 16


def spans_lines(head: bytes, is_json_lines: bool) -> bool:
    """Whether a file of JSON is an array, or has objects that are longer than a line.

    Args:
        head: its beginning, in UTF-8.
        is_json_lines: whether its name says that it has an object on each line. Then an object
            that breaks off at the end of the first line is a broken line.
    """
    text = head.lstrip(_SPACE)
    if text.startswith(b"["):
        return is_json(text)
    first, _, rest = text.partition(b"\n")
    if not text.startswith(b"{") or not rest.strip():
        return False
    if is_json_lines:
        return first.strip() == b"{"
    try:
        _DECODER.decode(first.decode("latin-1"))
    except ValueError:
        return True
    return False


class JsonValues:
    """Cuts JSON into values; those of an array are values of their own."""

    def __init__(self) -> None:
        # What may come next: a value ("top"; in an array: "first", "next") or what is "behind" one.
        self._state = "top"
        self._done = 0

    def split(self, block: bytes, is_last: bool, most: int) -> tuple[list[bytes], int]:
        """Cut off the values that are there as a whole.

        Args:
            block: what comes next, in UTF-8.
            is_last: whether nothing comes behind it.
            most: so many values at most.

        Returns:
            The values, and how many bytes of the block they and what lies between them are.

        Raises:
            FileRefusedError: UNREADABLE or TRUNCATED.
        """
        text = block.decode("latin-1")
        values: list[bytes] = []
        at = _behind_space(text, 0)
        while at < len(text) and len(values) < most:
            end = self._punctuation(text, at)
            if end is None:
                end = self._end_of_value(text, at, is_last)
                if end is None:
                    break
                values.append(block[at:end])
                self._state = "top" if self._state == "top" else "behind"
            at = _behind_space(text, end)
        if is_last and at == len(text) and self._state != "top":
            raise FileRefusedError("TRUNCATED", "the array of JSON is not closed: land it again")
        self._done += at
        return values, at

    def _punctuation(self, text: str, at: int) -> int | None:
        """Where a bracket or comma ends that the state allows; None when a value begins."""
        mark = text[at]
        if self._state == "top" and mark == "[":
            self._state = "first"
        elif self._state in ("first", "behind") and mark == "]":
            self._state = "top"
        elif self._state == "behind":
            if mark != ",":
                raise self._refusal("',' or ']' expected", at)
            self._state = "next"
        else:
            return None
        return at + 1

    def _end_of_value(self, text: str, at: int, is_last: bool) -> int | None:
        """Where a value ends; None when that is not known yet."""
        try:
            end = _DECODER.raw_decode(text, at)[1]
        except json.JSONDecodeError as error:
            is_open = error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip())
            if is_last and is_open:
                raise FileRefusedError(
                    "TRUNCATED", "the JSON ends within a value: land it again"
                ) from error
            if is_last or not (is_open or error.pos > len(text) - _LONGEST_WORD):
                raise self._refusal(error.msg, error.pos) from error
            return None
        # A number may go on: 6 is the beginning of 6.25, and of 6e3.
        may_go_on = text[at] in "-0123456789" and not text[end : end + 8].strip(".eE+-0123456789")
        return end if is_last or not may_go_on or len(text) > end + 8 else None

    def _refusal(self, words: str, at: int) -> FileRefusedError:
        return FileRefusedError("UNREADABLE", f"not JSON at byte {self._done + at + 1:,}: {words}")


def _behind_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
