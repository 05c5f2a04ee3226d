"""Ingesters, maintenance, rebuilds and readers at once, with kills: recorded, then judged.

python -m pytest -s -m '' bridge_cart_tests/faults/test_recorded_history.py
"""

from collections import Counter
from pathlib import Path

import pytest

from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.faults.forked_commands import CHAIN, CommandServer
from bridge_cart_tests.faults.history import Call
from bridge_cart_tests.faults.history_checker import violations
from bridge_cart_tests.faults.recorder import Session


def judge(history: list[Call], session: Session) -> None:
    """Print what there was, and hold the laws."""
    found = violations(history)
    counts = Counter(call.operation for call in history)
    ended = {fault or "by itself": times for fault, times in session.ended.items() if times}
    print(f"{len(history)} calls {dict(counts)}, ended {ended}, {len(found)} violations")
    assert not found, "\n".join(str(violation) for violation in found[:20])


# What lands in a long history: 60 by `make test-faults`.
FILES = max(EXAMPLES * 3 // 10, 30)
# Commands take turns, unless they begin in the same moment. The chain without Dagster never waits.
CROWDS = (("run", "run", CHAIN), ("run",) * 4, (CHAIN,) * 3, ("run", CHAIN))


@pytest.mark.slow
def test_a_short_history_breaks_no_law(tmp_path: Path) -> None:
    with CommandServer(tmp_path / "said") as server:
        session = Session(
            tmp_path,
            server,
            files=6,
            pause=2.5,
            ingesters=("run", "run"),
            readers=1,
            keepers=(3.0, 1e9),
        )
        judge(session.play(), session)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_a_long_history_breaks_no_law(tmp_path: Path, seed: int) -> None:
    with CommandServer(tmp_path / "said") as server:
        session = Session(tmp_path, server, files=FILES, pause=4, ingesters=CROWDS[seed], seed=seed)
        judge(session.play(), session)
