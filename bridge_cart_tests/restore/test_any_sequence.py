"""Whatever has happened to a small lake: going back to any moment and running heals it.

BRIDGE_CART_TEST_EXAMPLES=50 python -m pytest -s bridge_cart_tests/restore/test_any_sequence.py
"""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bridge_cart_assets.lake.maintenance import maintain
from bridge_cart_assets.pipeline.lake_states import earliest_state, table_logs
from bridge_cart_assets.pipeline.rebuild import begin_rebuild
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.faults.laws import hold_after_a_run, hold_at_any_moment
from bridge_cart_tests.lakehouse.tables import differences, stale_tables
from bridge_cart_tests.restore.shop import SmallShop

# What happens, a number that it takes, and the lines of a file.
Event = tuple[str, int, list[tuple[int, ...]]]
Steps = st.SearchStrategy[Event]
orders, customers, amounts = st.integers(1, 3), st.integers(1, 3), st.integers(1, 9)
days = st.integers(2, 5)
lines = st.lists(st.tuples(orders, customers, amounts, days), min_size=1, max_size=3)
deliveries = st.tuples(st.just("land"), days, lines)
others: Steps = st.tuples(st.sampled_from(["run", "rebuild", "upkeep"]), st.just(0), st.just([]))
backwards: Steps = st.tuples(st.just("restore"), st.integers(0, 99), st.just([]))
steps = st.lists(deliveries | others | backwards, min_size=3, max_size=7)


def land(shop: SmallShop, number: int, day: int, rows: list[tuple[int, ...]]) -> None:
    text = "order_id,customer_id,purchase_date,purchase_amount,updated_at\n" + "".join(
        f"O{order},C{customer},2024-01-0{of},{amount},2024-01-0{day}T{number % 24:02}:00\n"
        for order, customer, amount, of in rows
    )
    shop.put(f"purchases/2024-01-0{day}-{number}.csv", text)


def any_moment(shop: SmallShop, percent: int) -> datetime | None:
    """One of the moments at which something was committed, as far back as one can go."""
    logs = table_logs(shop.lake)
    earliest = earliest_state(shop.lake, logs)
    if earliest is None:
        return None
    commits = {c.committed_at for log in logs.values() for c in log.commits}
    there = sorted(at for at in commits if at >= earliest.at)
    return there[min(percent * len(there) // 100, len(there) - 1)]


@pytest.mark.long
@seed(18)
@settings(
    max_examples=EXAMPLES or 6,
    database=None,
    deadline=None,
    print_blob=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(events=steps, last=st.integers(0, 99))
def test_going_back_to_any_moment_and_running_heals_it(events: list[Event], last: int) -> None:
    folder = Path(tempfile.mkdtemp())
    shop = SmallShop(folder / "data")
    land(shop, 0, 2, [(1, 1, 1, 2)])
    shop.run()
    for number, (what, figure, rows) in enumerate([*events, ("restore", last, [])], 1):
        if what == "land":
            land(shop, number, figure, rows)
            shop.run()
        elif what == "run":
            shop.run()
        elif what == "rebuild":
            begin_rebuild(shop.lake, datetime.now(UTC), shop.settings.silver)
        elif what == "upkeep":
            maintain(shop.lake, STORED_TABLES, "upkeep")
        elif (moment := any_moment(shop, figure)) is not None:
            shop.restore(moment)
            hold_at_any_moment(shop.lake)
    shop.run()
    hold_after_a_run(shop.lake)
    assert stale_tables(shop.lake) == []
    other = shop.like_new(folder / "other")
    assert differences(other.contents(), shop.contents()) == []
    assert shop.taken() == other.taken()
