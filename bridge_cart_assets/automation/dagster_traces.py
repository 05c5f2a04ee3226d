"""Taking what names a person out of Dagster's history and captured output.

A check says which customer has a tenth of the orders, an error quotes the value that it tripped
over: both stand in Dagster's databases for as long as it remembers the run. So texts lose the words
that name somebody, and the files are written anew, for SQLite leaves what was there in free pages.

Belongs here: SQLite files, and texts below DAGSTER_HOME. Does not belong here: Postgres
(`postgres_traces`), or which words those are.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

ERASED = "[erased]"
_TOKEN = re.compile(r"[0-9A-Za-z_#@.+\-]+")
# A short number is an id only where a customer is spoken of.
_CUSTOMER = re.compile(r"(?i)(customer(?:_id)?['\"]?\s*[=:]?\s*['\"]?)([0-9]{1,4})(?![0-9])")
_SHORT = 4
_ROWS = 2_000
_BUSY_SECONDS = 60


class HistoryInUseError(RuntimeError):
    """Dagster's history cannot be written anew, because another process keeps reading it."""


class Words:
    """Words that name persons, to be taken out of texts."""

    def __init__(self, words: Iterable[str]) -> None:
        all_words = {word for word in words if word}
        self._numbers = {w for w in all_words if w.isdigit() and len(w) <= _SHORT}
        others = all_words - self._numbers
        self._single = {w for w in others if _TOKEN.fullmatch(w)}
        self._several = sorted(others - self._single, key=len, reverse=True)
        self.likely = sorted(others)

    def may_be_in(self, texts: pl.Series) -> pl.Series:
        """For each of some texts whether it is worth looking at."""
        return texts.str.contains_any(self.likely) | texts.str.contains("(?i)customer")

    def without(self, text: str) -> str:
        """A text without the words; of JSON the strings only."""
        if text[:1] in "{[":
            try:
                return json.dumps(self._walk(json.loads(text)))
            except ValueError:
                pass
        return self._prose(text)

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.without(value)
        if isinstance(value, list):
            return [self._walk(one) for one in value]
        if isinstance(value, dict):
            return {name: self._walk(one) for name, one in value.items()}
        return value

    def _prose(self, text: str) -> str:
        for words in self._several:
            if words in text:
                text = text.replace(words, ERASED)
        if self._numbers:
            text = _CUSTOMER.sub(lambda m: m[1] + ERASED if m[2] in self._numbers else m[0], text)
        return _TOKEN.sub(self._token, text)

    def _token(self, match: "re.Match[str]") -> str:
        token = match[0]
        bare = token.strip(".-")
        if bare not in self._single and token not in self._single:
            return token
        word = token if token in self._single else bare
        return token.replace(word, ERASED)


def forget_words(
    folders: Sequence[Path], words: Sequence[str], say: Callable[[str], None]
) -> dict[str, int]:
    """Take words that name persons out of all that Dagster keeps in its folders.

    No connection of this process to these files may be open.

    Args:
        folders: DAGSTER_HOME, and others with captured output (`history_places`).
        words: what names them.
        say: gets a line now and then.

    Returns:
        How many database rows and how many other files were changed.

    Raises:
        HistoryInUseError: another process kept reading.
    """
    taken_out = Words(words)
    rows = files = 0
    found = sorted({path for folder in folders for path in folder.rglob("*") if path.is_file()})
    # Events without a run are in a file that is called ".db", which has no suffix.
    databases = [file for file in found if file.name.endswith(".db")]
    for number, file in enumerate(databases):
        if number % 50 == 0:
            say(f"Dagster's history: {number} of {len(databases)} files")
        rows += _clean_database(file, taken_out)
    for file in found:
        is_of_database = ".db" in file.name or file.suffix in (".yaml", ".sock", ".pid")
        if not is_of_database and _clean_text(file, taken_out):
            files += 1
    return {"rows": rows, "files": files}


def _clean_database(file: Path, words: Words) -> int:
    changed = 0
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)) as opened:
            opened.execute("PRAGMA secure_delete = ON")
            opened.execute("BEGIN IMMEDIATE")
            for table, column in _text_columns(opened):
                changed += _clean_column(opened, table, column, words)
            opened.execute("COMMIT")
            if changed or _has_traces(file, words):
                opened.execute("VACUUM")
            busy, *_ = opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy and _has_traces(file, words):
                raise HistoryInUseError(_in_use(file))
    except sqlite3.OperationalError as error:
        raise HistoryInUseError(_in_use(file)) from error
    return changed


def _in_use(file: Path) -> str:
    return (
        f"Dagster's history ({file.name}) is in use by another process\n"
        "it has to be written anew: end make dev, then: bridge-cart run"
    )


def _text_columns(opened: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [
        (table, column[1])
        for (table,) in tables
        for column in opened.execute(f'PRAGMA table_info("{table}")').fetchall()
        if not table.startswith("sqlite_") and not column[2].upper().startswith(("INT", "DATE"))
    ]


def _clean_column(opened: sqlite3.Connection, table: str, column: str, words: Words) -> int:
    # The names are the database's own.
    rows = opened.execute(
        f'SELECT rowid, "{column}" FROM "{table}" WHERE typeof("{column}") = \'text\''  # noqa: S608
    )
    changes = []
    while some := rows.fetchmany(_ROWS):
        texts = pl.Series([text for _, text in some], dtype=pl.String)
        likely = texts.str.contains_any(words.likely) | texts.str.contains("(?i)customer")
        for (row, text), is_likely in zip(some, likely, strict=True):
            if is_likely and (new := words.without(text)) != text and not is_same(new, text):
                changes.append((new, row))
    opened.executemany(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', changes)  # noqa: S608
    return len(changes)


def is_same(new: str, text: str) -> bool:
    """Whether of a text and the text without the words only the spelling of JSON differs."""
    return ERASED not in new or new.count(ERASED) == text.count(ERASED)


def _has_traces(file: Path, words: Words) -> bool:
    """Whether a database has words anywhere in its bytes, free pages too."""
    spelt = [w.encode() for w in words.likely]
    for one in (file, file.with_name(f"{file.name}-wal")):
        if one.exists():
            data = one.read_bytes()
            if any(word in data for word in spelt):
                return True
    return False


def _clean_text(file: Path, words: Words) -> bool:
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    new = words.without(text)
    if new == text or is_same(new, text):
        return False
    file.write_text(new, encoding="utf-8", errors="surrogateescape")
    return True
