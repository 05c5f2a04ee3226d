"""Records of persons who were erased: which they are, and what is kept of them.

Belongs here: recognising such a record, in whatever form it arrives, and emptying it. Does not
belong here: who is to be erased, or erasing what is there (`pipeline.erasure`).

A record is of an erased person when its customer_id or its address is one of theirs, or when it has
neither and its order is. A text that could not be read as a record is, when one of its words is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources import Source
from bridge_cart_assets.tables.ops import ERASED
from bridge_cart_assets.transforms.addresses import read_email
from bridge_cart_assets.transforms.erased_names import (
    ACCOUNT,
    ADDRESS,
    ORDER,
    known_names,
    order_name,
)
from bridge_cart_assets.transforms.ids import tidy_id

CODE = "ERASED"
_IN_WORDS = "its person was erased"
_WORD = r"""[^\s,;|:"'<>()\[\]{}=]+"""
_ADDRESS = r"""[^\s@,;|:"'<>()\[\]{}=]+@[^\s@,;|:"'<>()\[\]{}=]+"""
_RECORD = ["_fingerprint", "_pos"]
_ROW = "\0bridge-cart/row"


class HashKeyMissingError(RuntimeError):
    """Persons were erased, and without the key nobody can tell whether a record is theirs."""


@dataclass(frozen=True)
class ErasedNames:
    """The names of erased persons, as keyed hashes.

    Attributes:
        keys: the hashes by kind.
        hash_key: the key.
        version: of the table that they were read from.
    """

    keys: Mapping[str, set[str]] = field(default_factory=dict, repr=False)
    hash_key: bytes | None = field(default=None, repr=False)
    version: int | None = None

    @classmethod
    def of(cls, lake: Lake, hash_key: bytes | None) -> "ErasedNames":
        """Those that the lake has now.

        Raises:
            HashKeyMissingError: there are some, and there is no key.
        """
        snapshot = lake.snapshot(ERASED)
        if not snapshot.rows:
            return cls(version=snapshot.version)
        if hash_key is None:
            raise HashKeyMissingError(
                "persons were erased from this lake, and identity.key, by which their records are "
                "recognised, is not in the data folder: put it back"
            )
        rows = snapshot.read()
        keys = {str(kind): set(of_kind["name_key"]) for (kind,), of_kind in rows.group_by("kind")}
        return cls(keys, hash_key, snapshot.version)

    def among(self, rows: pl.DataFrame, source: Source) -> pl.Series:
        """For each raw record whether its person was erased.

        Args:
            rows: rows of the source's raw table.
            source: whose records they are.
        """
        if not self.keys or not rows.height:
            return pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True)
        found = [
            self._readable(rows.filter(pl.col("_status") == "ok"), source),
            self._unreadable(rows.filter(pl.col("_status") == "quarantined"), source),
        ]
        named = pl.concat(found).unique()
        numbered = rows.select(*_RECORD).with_row_index(_ROW)
        hits = numbered.join(named, on=_RECORD, how="semi")[_ROW]
        return numbered[_ROW].is_in(hits.implode()).alias("is_erased")

    def emptied(self, rows: pl.DataFrame, source: Source) -> pl.DataFrame:
        """Raw records; of those whose person was erased only the place is left."""
        is_erased = self.among(rows, source)
        return without_content(rows, is_erased, source) if is_erased.any() else rows

    def _readable(self, rows: pl.DataFrame, source: Source) -> pl.DataFrame:
        conformed = source.conform(rows.lazy())
        nothing = rows.select(_RECORD).clear()
        found = [nothing]
        if conformed.purchases is not None:
            lines = conformed.purchases.select(
                *_RECORD,
                account=tidy_id(pl.col("customer_id")),
                address=read_email(pl.col("email")),
                order=order_name(source.name, tidy_id(pl.col("order_id"))),
            ).collect()
            is_theirs = self._is(lines, ACCOUNT) | self._is(lines, ADDRESS)
            is_anonymous = lines["account"].is_null() & lines["address"].is_null()
            # A file may name the customer on an order's first line only.
            beside = lines["order"].is_in(lines["order"].filter(is_theirs).unique().implode())
            of_order = is_anonymous & (self._is(lines, ORDER) | beside.fill_null(False))
            found.append(lines.filter(is_theirs | of_order).select(_RECORD))
        if conformed.customers is not None:
            profiles = conformed.customers.select(
                *_RECORD,
                account=tidy_id(pl.col("customer_id")),
                address=read_email(pl.col("email")),
            ).collect()
            is_theirs = self._is(profiles, ACCOUNT) | self._is(profiles, ADDRESS)
            found.append(profiles.filter(is_theirs).select(_RECORD))
        # What a source makes no use of may have an address too: an order without a line, a note.
        for column in (*source.columns, "_rescued"):
            addressed = rows.filter(pl.col(column).str.contains("@", literal=True))
            if addressed.height:
                found.append(self._with_words(addressed, column, _ADDRESS, source))
        return pl.concat(found)

    def _unreadable(self, rows: pl.DataFrame, source: Source) -> pl.DataFrame:
        return self._with_words(rows, "_raw", _WORD, source)

    def _with_words(
        self, rows: pl.DataFrame, column: str, word: str, source: Source
    ) -> pl.DataFrame:
        """The records of whose text one word is a name."""
        words = rows.select(*_RECORD, word=pl.col(column).str.extract_all(word)).explode("word")
        named = words.with_columns(
            account=tidy_id(pl.col("word")),
            address=read_email(pl.col("word")),
            order=order_name(source.name, tidy_id(pl.col("word"))),
        )
        hits = [self._is(named, kind) for kind in (ACCOUNT, ADDRESS, ORDER)]
        return named.filter(hits[0] | hits[1] | hits[2]).select(_RECORD)

    def _is(self, names: pl.DataFrame, kind: str) -> pl.Series:
        column = names[kind]
        keys = self.keys.get(kind, set())
        if not keys or self.hash_key is None:
            return pl.repeat(False, names.height, dtype=pl.Boolean, eager=True)
        known = known_names(kind, column.unique(), keys, self.hash_key)
        return column.is_in(list(known)).fill_null(False)


NOBODY = ErasedNames()


def without_content(rows: pl.DataFrame, which: pl.Series, source: Source) -> pl.DataFrame:
    """Raw rows; those that are chosen keep their place, and nothing of what they said."""
    verdict = {"_status": "quarantined", "_error_code": CODE, "_error": _IN_WORDS}
    content = (*source.columns, "_raw", "_rescued")
    emptied = {**verdict, **dict.fromkeys(content)}
    return rows.with_columns(
        pl.when(which).then(pl.lit(text, dtype=pl.String)).otherwise(pl.col(name)).alias(name)
        for name, text in emptied.items()
    )
