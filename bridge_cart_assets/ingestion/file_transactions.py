"""Which files raw has taken, by the transactions of its own commits.

Belongs here: their names and values. Transactions cannot be removed, so a file that was taken back
has one whose value says so. Does not belong here: the ledger, which is a hint (`ledger`).
"""

from collections.abc import Iterable

from bridge_cart_assets.lake.snapshot import Snapshot
from bridge_cart_assets.lake.transactions import TAKEN_BACK


def transaction_of(fingerprint: str) -> str:
    """The transaction of a raw table by which a file's bytes are known to have been taken.

    Its value is the commit that has the last of its records, or `TAKEN_BACK`, which counts as never
    written. `taken_by` reads it.
    """
    return f"file:{fingerprint}"


def taken_by(raw: Snapshot, fingerprints: Iterable[str]) -> dict[str, int]:
    """Of some files, those that raw has taken and not given back, with the commit that took them.

    Args:
        raw: a source's raw table.
        fingerprints: the SHA-256 of each file that is asked for.
    """
    names = {transaction_of(fingerprint): fingerprint for fingerprint in fingerprints}
    known = raw.transactions(list(names))
    return {names[name]: version for name, version in known.items()}


def is_taken(raw: Snapshot, fingerprint: str) -> bool:
    """Whether raw has taken a file and has not given it back."""
    return fingerprint in taken_by(raw, (fingerprint,))


def taken_back(raw: Snapshot, fingerprints: Iterable[str]) -> dict[str, int]:
    """The transactions of a commit after which raw has not taken some files.

    Args:
        raw: a source's raw table.
        fingerprints: the SHA-256 of each file.
    """
    named = list(fingerprints)
    # Version 0.1 counted the records of a large file that it had taken in part.
    parts = raw.transactions([part_records_of(fingerprint) for fingerprint in named])
    files = raw.transactions([transaction_of(fingerprint) for fingerprint in named])
    return dict.fromkeys((*parts, *files), TAKEN_BACK)


def part_records_of(fingerprint: str) -> str:
    """The transaction by which version 0.1 counted how many records of a file it had taken."""
    return f"part-records:{fingerprint}"
