"""Whatever landed and was taken back: the tables are those of the files that are left."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.lakehouse.tables import stale_tables
from bridge_cart_tests.retraction.shop import WITH_GOLD, Folder, folder_with

DAYS = [f"2024-01-0{day}" for day in range(1, 7)]
# Few names, so that files correct each other; five accounts can have an address, and here six may.
ACCOUNTS = st.sampled_from(["", "c1", "c2", "c3", "c4", "c5", "c6"])
ADDRESSES = st.sampled_from(["", "", "x@example.org", "y@example.org"])
MOMENTS = st.sampled_from(["", *DAYS])


@st.composite
def order_lines(draw: st.DrawFn) -> str:
    header = "order_id,line_number,customer_id,email,purchase_date,purchase_amount,updated_at"
    line = st.tuples(
        st.sampled_from(["O1", "O2", "O3", ""]),
        st.sampled_from(["", "1", "2"]),
        *(ACCOUNTS, ADDRESSES, st.sampled_from([*DAYS, "never"])),
        st.sampled_from(["5", "10", "-5"]),
        MOMENTS,
    )
    return "\n".join([header, *(",".join(values) for values in draw(st.lists(line, max_size=6)))])


@st.composite
def profiles(draw: st.DrawFn) -> str:
    header = "customer_id,name,email,updated_at"
    row = st.tuples(ACCOUNTS, st.sampled_from(["Ada", "Bob"]), ADDRESSES, MOMENTS)
    return "\n".join([header, *(",".join(values) for values in draw(st.lists(row, max_size=6)))])


@st.composite
def whole_orders(draw: st.DrawFn) -> str:
    """A file's orders replace those of an earlier one with all their lines."""
    header = "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem price"
    order = st.tuples(
        st.sampled_from(["#1", "#2"]),
        ADDRESSES,
        st.sampled_from(["paid", "refunded", "pending"]),
        st.sampled_from(DAYS),
        st.lists(st.sampled_from(["5.00", "7.50"]), min_size=1, max_size=3),
    )
    lines = []
    for name, address, status, day, prices in draw(
        st.lists(order, max_size=3, unique_by=lambda values: values[0])
    ):
        lines.append(f"{name},{address},{status},{day},1,{prices[0]}")
        lines += [f"{name},,,,2,{price}" for price in prices[1:]]
    return "\n".join([header, *lines])


SOURCES = {"purchases": order_lines(), "customers": profiles(), "shopify_orders": whole_orders()}


def play(data: st.DataObject, folder: Folder) -> dict[str, str]:
    """Land, run and take back; the files that are left."""
    left: dict[str, str] = {}
    landed: set[str] = set()
    for _ in range(data.draw(st.integers(3, 7), label="steps")):
        taken = sorted(left.keys() & landed)
        away = folder.root / "landing/_retracted"
        lying = sorted(path for path in away.rglob("*.csv")) if away.is_dir() else []
        step = data.draw(st.sampled_from(["land", "land", "back", "back", "again"]))
        if step == "back" and taken:
            name = data.draw(st.sampled_from(taken), label="taken back")
            folder.take_back(name)
            del left[name]
            landed.discard(name)
        elif step == "again" and lying:
            path = data.draw(st.sampled_from(lying), label="landed again")
            source = path.relative_to(away).parts[0]
            day = data.draw(st.sampled_from(DAYS))
            name = f"{source}/{day}.{len(landed)}-{len(left)}.again.csv"
            if name not in left:
                left[name] = path.read_text()
                path.rename(folder.root / "landing" / name)
        else:
            source = data.draw(st.sampled_from(sorted(SOURCES)))
            day = data.draw(st.sampled_from(DAYS))
            text = data.draw(SOURCES[source], label=source)
            name = f"{source}/{day}.csv"
            # Of equal bytes the name that is taken first is kept: another law.
            if name not in left and text not in {*left.values(), *(p.read_text() for p in lying)}:
                left[name] = text
                folder.land(name, text)
        if data.draw(st.booleans(), label="run"):
            folder.run(gold=data.draw(st.booleans(), label="gold"))
            landed |= left.keys()
    return left


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES or 2,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(data=st.data())
def test_the_tables_are_those_of_the_files_that_are_left(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root: Path = tmp_path_factory.mktemp("played")
    folder = Folder(root / "played")
    left = play(data, folder)
    folder.run(gold=True)
    other = folder_with(root / "left", left.items(), gold=True)
    assert folder.unlike(other, WITH_GOLD) == []
    assert stale_tables(folder.lake) == []
    shutil.rmtree(root)
