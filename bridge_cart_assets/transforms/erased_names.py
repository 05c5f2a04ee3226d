"""The keyed hashes that stand for the ids and addresses of erased persons.

Belongs here: what is hashed and how. Does not belong here: where the hashes lie, or which records
have such a name (`ingestion.erased_records`).
"""

import hmac
from collections.abc import Iterable

import polars as pl

ACCOUNT, ADDRESS, ORDER = "account", "address", "order"
# 128 bits, as for addresses: no two names meet by chance.
_DIGITS = 32


def order_name(source: str, order_id: pl.Expr) -> pl.Expr:
    """An order's id with its source, whose ids say nothing about those of another.

    >>> orders = pl.DataFrame({"order_id": ["O1", None]})
    >>> orders.select(order_name("purchases", pl.col("order_id"))).to_series().to_list()
    ['purchases/O1', None]
    """
    return pl.concat_str(pl.lit(f"{source}/"), order_id)


def name_key(kind: str, name: str, hash_key: bytes) -> str:
    """The keyed hash of a name: HMAC-SHA256, 32 hexadecimal digits, another one for each kind.

    >>> name_key("account", "C1", b"key") == name_key("order", "C1", b"key")
    False
    """
    return hmac.digest(hash_key, f"{kind}/{name}".encode(), "sha256").hex()[:_DIGITS]


def known_names(kind: str, names: Iterable[str | None], keys: set[str], key: bytes) -> set[str]:
    """Those of some names whose hashes are known.

    >>> keys = {name_key("account", "C1", b"key")}
    >>> known_names("account", ["C1", "C2", None], keys, b"key")
    {'C1'}
    """
    return {name for name in names if name is not None and name_key(kind, name, key) in keys}
