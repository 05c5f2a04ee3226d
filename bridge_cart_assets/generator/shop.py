"""A synthetic shop: `generate(Shop(customers=2_000, days=90), Path("data"))`.

Belongs here: the order of the writes. Does not belong here: what is written (`days`).
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bridge_cart_assets.generator import ground_truth
from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_assets.generator.days import Block, blocks
from bridge_cart_assets.generator.duplicate_files import File
from bridge_cart_assets.generator.landing import SOURCES, Target, land, suffix
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.purchases import PURCHASES

TOPICS = {source.name: source.topic or "" for source in (CUSTOMERS, PURCHASES)}

__all__ = ["GeneratedDays", "Shop", "generate"]


@dataclass(frozen=True)
class GeneratedDays:
    """What was written.

    Attributes:
        days: days that were added to the shop; 0 when all had landed before.
        files: files in the landing zone, or as many stretches of messages.
        customers: people who are first heard of on these days.
        lines: order-line records in the files, copies and corrections included, files that came
            twice not.
    """

    days: int
    files: int
    customers: int
    lines: int


def generate(
    shop: Shop,
    data: Path,
    progress: Callable[[int, int], None] | None = None,
    brokers: Mapping[str, str] | None = None,
    landing: Path | None = None,
) -> GeneratedDays:
    """Land a shop's customers and purchases as daily files, and write the truth beside them.

    A folder that has the shop's first days already gets those that are missing. A day without
    records has no file.

    Args:
        shop: what to make.
        data: working folder; gets `truth/`, and `landing/` where no other folder is named.
        progress: called with the days that have landed and the days in all, after each block.
        brokers: how to reach Kafka, in librdkafka's names, for a shop that goes there. When this
            is interrupted, the days that were under way are sent again: as copies.
        landing: the landing zone; gets `customers/` and `purchases/`.

    Raises:
        ground_truth.AnotherShopError: landing holds the files of another shop.
        producing.NotSentError: the brokers did not take the messages.
    """
    landing = landing or data / "landing"
    put = _sender(shop, brokers or {}) if shop.to is Target.KAFKA else _lander(shop, landing)
    lands = shop.to is Target.FILES
    until = ground_truth.claim(data, shop.arguments, SOURCES, lands=lands, landing=landing)
    first = 0 if until is None else (until - shop.start).days + 1
    files = customers = lines = 0

    def finish(block: Block, writing: "Future[None]") -> None:
        nonlocal files, customers, lines
        writing.result()
        files += len(block.files)
        customers += block.customers
        lines += block.lines
        if progress:
            progress(block.end - first, shop.days - first)

    # One block is written while the next one is made.
    with ThreadPoolExecutor(max_workers=1) as writer:
        under_way: tuple[Block, Future[None]] | None = None
        for block in blocks(shop, first):
            if under_way:
                finish(*under_way)
            under_way = block, writer.submit(_write, shop, data, block, put)
        if under_way:
            finish(*under_way)
    return GeneratedDays(
        days=max(shop.days - first, 0), files=files, customers=customers, lines=lines
    )


def _write(shop: Shop, data: Path, block: Block, put: Callable[[File], None]) -> None:
    """Put a block in its place; when it is there, say so."""
    for file in block.files:
        put(file)
    ground_truth.write(data, shop.day(block.first), block.truth)
    ground_truth.note(data, shop.arguments, shop.day(block.end - 1))


def _lander(shop: Shop, landing: Path) -> Callable[[File], None]:
    ending = suffix(shop.form, gz=shop.gz)

    def put(file: File) -> None:
        path = landing / file.source / f"{file.name}.{ending}"
        land(path, file.content, gz=shop.gz)

    return put


def _sender(shop: Shop, brokers: Mapping[str, str]) -> Callable[[File], None]:
    from bridge_cart_assets.generator.producing import Topics

    topics = Topics(brokers)
    for source in SOURCES:
        topics.create(TOPICS[source])

    def put(file: File) -> None:
        # A file's name begins with its day.
        day = date.fromisoformat(file.name[:10])
        topics.send(TOPICS[file.source], day, file.content, shop.zone)

    return put
