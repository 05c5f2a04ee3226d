"""E-mail addresses: how they are read, and the keyed hash that stands for one.

Belongs here: when two spellings are one address. Does not belong here: who is one person
(`identities`).
"""

import hmac
from functools import partial

import polars as pl

from bridge_cart_assets.transforms.ids import tidy_id

_ADDRESS = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_BEFORE = r"^[<\"']*(?:mailto:)?"
_BEHIND = r"[>\"';,]+$"
# 128 bits: no two addresses of a shop meet by chance.
_DIGITS = 32


def read_email(text: pl.Expr) -> pl.Expr:
    """The address in small letters, without what programs put around it; null when it is none.

    >>> written = [" Ada@Example.org", "<mailto:ada@example.org>", "ada at example.org", "n/a"]
    >>> texts = pl.DataFrame({"text": written})
    >>> texts.select(read_email(pl.col("text"))).to_series().to_list()
    ['ada@example.org', 'ada@example.org', None, None]
    """
    address = tidy_id(text).str.to_lowercase()
    address = address.str.replace(_BEFORE, "").str.replace(_BEHIND, "")
    return pl.when(address.str.contains(_ADDRESS)).then(address)


def address_key(address: pl.Expr, hash_key: bytes | None) -> pl.Expr:
    """HMAC-SHA256 of an address, 32 hexadecimal digits; null without an address or a key.

    Without the key a hash cannot be compared with those of guessed addresses.

    >>> addresses = pl.DataFrame({"email": ["ada@example.org", None]})
    >>> hashed = addresses.select(
    ...     one=address_key(pl.col("email"), b"key"), other=address_key(pl.col("email"), b"other")
    ... )
    >>> len(hashed["one"][0]), hashed["one"][0] == hashed["other"][0], hashed["one"][1]
    (32, False, None)
    >>> addresses.select(address_key(pl.col("email"), None)).to_series().to_list()
    [None]
    """
    if hash_key is None:
        return pl.lit(None, pl.String)
    return address.map_batches(partial(_hashed, hash_key=hash_key), return_dtype=pl.String)


def _hashed(address: pl.Series, hash_key: bytes) -> pl.Series:
    distinct = address.drop_nulls().unique()
    keys = [hmac.digest(hash_key, text.encode(), "sha256").hex()[:_DIGITS] for text in distinct]
    return address.replace_strict(
        distinct, pl.Series(keys, dtype=pl.String), default=None, return_dtype=pl.String
    )
