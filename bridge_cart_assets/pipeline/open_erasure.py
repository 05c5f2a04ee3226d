"""What is to be erased, as it is written down until that is done.

Belongs here: the content of the file of an open erasure. Does not belong here: the file and the
lock (`open_operations`), or erasing (`erasure`).
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from bridge_cart_assets.pipeline.open_operations import ERASURE
from bridge_cart_assets.pipeline.person_index import PersonIndex
from bridge_cart_assets.settings import Settings


@dataclass
class Erasure:
    """What is to be erased.

    Attributes:
        receipt: the number of its receipt.
        began: when it began.
        ids: the customer_ids that were named.
        index: whose they are and where their records are; None until it is known.
        counts: rows about them by table, before anything was erased.
    """

    receipt: str
    began: datetime
    ids: Sequence[str]
    index: PersonIndex | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def save(self, settings: Settings) -> None:
        """Write it down."""
        ERASURE.save(settings, self._as_json())

    def close(self, settings: Settings) -> None:
        """Forget what was to be erased."""
        ERASURE.close(settings)

    def _as_json(self) -> dict[str, Any]:
        index = self.index
        return {
            "receipt": self.receipt,
            "began": self.began.isoformat(),
            "ids": list(self.ids),
            "counts": self.counts,
            "index": None
            if index is None
            else {
                "persons": sorted(index.persons),
                "identities": sorted(index.identities),
                "accounts": sorted(index.accounts),
                "addresses": sorted(index.addresses),
                "orders": sorted(index.orders),
                "texts": sorted(index.texts),
                "days": {
                    source: sorted(day.isoformat() for day in days)
                    for source, days in index.days.items()
                },
                "fingerprints": sorted(index.fingerprints),
                "records": index.records,
            },
        }


def begin_erasure(settings: Settings, ids: Sequence[str]) -> Erasure:
    """Write down that some persons are to be erased."""
    erasure = Erasure(secrets.token_hex(8), datetime.now(UTC), ids)
    erasure.save(settings)
    return erasure


def open_erasure(settings: Settings) -> Erasure | None:
    """The erasure that has begun and is not complete; None when there is none."""
    written = ERASURE.read(settings)
    if written is None:
        return None
    index = written["index"]
    return Erasure(
        written["receipt"],
        datetime.fromisoformat(written["began"]),
        written["ids"],
        None if index is None else _index_of(index),
        written["counts"],
    )


def _index_of(written: Mapping[str, Any]) -> PersonIndex:
    return PersonIndex(
        persons=set(written["persons"]),
        identities=set(written["identities"]),
        accounts=set(written["accounts"]),
        addresses=set(written["addresses"]),
        orders={(source, order_id) for source, order_id in written["orders"]},
        texts=set(written["texts"]),
        days={
            source: {date.fromisoformat(day) for day in days}
            for source, days in written["days"].items()
        },
        fingerprints=set(written["fingerprints"]),
        records=dict(written["records"]),
    )
