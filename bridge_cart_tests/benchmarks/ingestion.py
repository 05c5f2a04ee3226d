"""How many records a second get into raw, and in how much memory.

    python -m bridge_cart_tests.benchmarks.ingestion files    10,000 CSV files of 200 records
    python -m bridge_cart_tests.benchmarks.ingestion large    one CSV file of 5 GB
    python -m bridge_cart_tests.benchmarks.ingestion kafka    1,000,000 messages in 4 partitions

Each makes its input in a temporary folder (or in a broker of its own, see `kafka.broker`), takes it
in with a process of its own, and prints that process's time and peak memory. `--scale 0.1` makes a
tenth of the input. The records are order lines of the synthetic shop's kind, all readable.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from bridge_cart_assets.ingestion.ingest_files import ingest_files
from bridge_cart_assets.ingestion.ingest_messages import ingest_messages
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import new_files
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_tests.kafka.broker import kafka_broker
from bridge_cart_tests.kafka.producing import produce

FILES, RECORDS_OF_A_FILE = 10_000, 200
LARGE_BYTES = 5_000_000_000
MESSAGES, PARTITIONS = 1_000_000, 4
METHODS = ("credit_card", "upi", "paypal", "cash_on_delivery")
CATEGORIES = ("books", "toys", "garden", "electronics", "groceries")


def records() -> Iterator[dict[str, str]]:
    """Order lines without end."""
    number = 0
    while True:
        number += 1
        yield {
            "order_id": f"O{number // 2:09}",
            "line_number": str(number % 2 + 1),
            "customer_id": f"C{number * 7919 % 100_000:06}",
            "purchase_date": f"2024-03-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00",
            "purchase_amount": f"{number % 9000 + 100}.{number % 100:02}",
            "discount_amount": "0.00",
            "coupon_used": "false",
            "payment_method": METHODS[number % len(METHODS)],
            "product_category": CATEGORIES[number % len(CATEGORIES)],
            "quantity": str(number % 5 + 1),
            "status": "completed",
            "updated_at": f"2024-03-{number % 28 + 1:02}T23:00:00",
        }


def csv_lines() -> Iterator[str]:
    for record in records():
        yield ",".join(record.values()) + "\n"


HEADER = ",".join(next(records())) + "\n"


def land_files(data: Path, scale: float) -> int:
    folder = data / "landing" / "purchases" / "2024-04-01"
    folder.mkdir(parents=True)
    lines = csv_lines()
    files = int(FILES * scale)
    for number in range(files):
        text = HEADER + "".join(islice(lines, RECORDS_OF_A_FILE))
        (folder / f"{number:06}.csv").write_text(text)
    return files * RECORDS_OF_A_FILE


def land_a_large_file(data: Path, scale: float) -> int:
    """The same million lines again and again: to make them takes longer than to read them."""
    folder = data / "landing" / "purchases"
    folder.mkdir(parents=True)
    block = "".join(islice(csv_lines(), 1_000_000))
    blocks = max(1, round(LARGE_BYTES * scale / len(block)))
    with (folder / "2024-04-01.csv").open("w") as file:
        file.write(HEADER)
        for _ in range(blocks):
            file.write(block)
    return blocks * 1_000_000


@contextmanager
def filled_topic(data: Path, scale: float) -> Iterator[int]:
    count = int(MESSAGES * scale)
    values = (json.dumps(record).encode() for record in islice(records(), count))
    with kafka_broker() as broker:
        broker.create_topic(PURCHASES.topic or "", PARTITIONS)
        messages = ((value, None, n % PARTITIONS, None) for n, value in enumerate(values))
        produce(broker.bootstrap, PURCHASES.topic or "", messages)
        (data / "brokers").write_text(broker.bootstrap)
        yield count


def peak_megabytes() -> float:
    """Of this program; what getrusage says begins with the memory of the parent."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "HWM" in line)
    return int(line.split()[1]) / 1024


def take(data: Path) -> None:
    """What is measured, in a process of its own."""
    lake = Lake(str(data / "lake"))
    before = peak_megabytes()
    began = time.perf_counter()
    brokers = data / "brokers"
    if brokers.exists():
        settings = {"bootstrap.servers": brokers.read_text()}
        taken = ingest_messages(lake, PURCHASES, settings, "bench").records
    else:
        due = new_files(lake, list_landing(data / "landing", PURCHASES.name))
        taken = ingest_files(lake, PURCHASES, due, "bench").records
    seconds = time.perf_counter() - began
    memory = f"{peak_megabytes():,.0f} MB at most ({before:,.0f} MB of it before)"
    print(f"{taken:,} records in {seconds:.1f} s: {taken / seconds:,.0f} a second, {memory}")
    print(lake.snapshot(PURCHASES.raw).rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("what", choices=["files", "large", "kafka", "take"])
    arguments.add_argument("--scale", type=float, default=1.0)
    arguments.add_argument("--data", type=Path)
    given = arguments.parse_args()
    if given.what == "take":
        take(given.data)
        return
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        if given.what == "kafka":
            expected = stack.enter_context(filled_topic(data, given.scale))
        else:
            land = land_files if given.what == "files" else land_a_large_file
            expected = land(data, given.scale)
        command = [sys.executable, "-m", "bridge_cart_tests.benchmarks.ingestion", "take"]
        finished = subprocess.run(
            [*command, "--data", str(data)], check=True, capture_output=True, text=True
        )
        figures, rows = finished.stdout.splitlines()
        if int(rows) != expected:
            raise SystemExit(f"{rows} of {expected} records are in raw")
        print(figures)


if __name__ == "__main__":
    main()
