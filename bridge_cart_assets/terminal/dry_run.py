"""`bridge-cart try`: the first records as received and as they would become, and the sums.

Belongs here: words and layout, within 80 columns. Does not belong here: reading the file
(`pipeline.dry_run`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
from rich.console import Console
from rich.text import Text

from bridge_cart_assets.pipeline.dry_run import DryRun
from bridge_cart_assets.sources import Source
from bridge_cart_assets.sources.source import CUSTOMER_COLUMNS, PURCHASE_COLUMNS
from bridge_cart_assets.tables.silver import PURCHASES
from bridge_cart_assets.terminal.escaping import printable
from bridge_cart_assets.terminal.style import (
    BAD,
    QUIET,
    WARN,
    format_count,
    format_money,
    grid,
    heading,
)

_NAME_WIDTH, _VALUE_WIDTH, _RAW_WIDTH = 22, 27, 54
_MOST_NAMES = 30
# Columns that silver has as something else.
_ELSEWHERE = {"status": "see kind", "updated_at": "decides which one stands"}
_ONLY_SILVER = ("net_amount", "kind", "valid_from", "unreadable", "guessed")


def show_dry_run(found: DryRun, source: Source, records: int, console: Console) -> None:
    """Show what would become of a file.

    Args:
        found: what became of it.
        source: as whose file it was read.
        records: how many of its records are shown one by one.
        console: where to.
    """
    counts = found.counts
    several = counts["raw_records"] != counts["records"]
    size = f"{format_count(counts['raw_records'])} records"
    size += f", {format_count(counts['records'])} lines" if several else ""
    heading(console, f"{source.name}/{_plain(found.file.object)}")
    console.print(f"batch day {found.batch_day}, {size}")
    for record in found.raw.head(records).iter_rows(named=True):
        _show_record(found, source, record, console)
    _show_outcome(found, source, console)
    _show_refusals(found, console)
    _show_remarks(found, console)
    _show_columns(found, console)


def _show_record(found: DryRun, source: Source, record: dict[str, Any], console: Console) -> None:
    heading(console, f"record {record['_pos']}", "as received; columns without a value left out")
    table = grid("column", "value", words=("value",))
    names = (*source.columns, "_rescued", "_raw")
    _add_rows(table, ((name, record[name]) for name in names if record[name]))
    console.print(table)
    if record["_status"] == "blank":
        console.print(Text("blank: counted, nothing more", QUIET))
        return
    lines = _of_record(found.conformed, "_pos", record["_pos"])
    if record["_status"] == "quarantined":
        console.print(_plain_text(f"refused: {record['_error_code']}, {record['_error']}", BAD))
    elif not lines:
        console.print(Text("no line: counted as blank", QUIET))
    for line in lines:
        _show_line(found, source, line, console)


def _show_line(found: DryRun, source: Source, line: dict[str, Any], console: Console) -> None:
    place, item = line["_pos"], line["_item"]
    accepted = [r for r in _of_record(found.accepted, "pos", place) if r["item"] == item]
    refused = [r for r in _of_record(found.refused, "pos", place) if r["item"] == item]
    in_silver = accepted[0] if accepted else {}
    is_of_lines = source.feeds is PURCHASES
    what = f"line {item}" if is_of_lines else "profile"
    heading(console, f"record {place}, {what}", f"conformed, and in {source.feeds.path}")
    table = grid("column", "conformed", "silver", words=("conformed", "silver"))
    for name in (*(PURCHASE_COLUMNS if is_of_lines else CUSTOMER_COLUMNS), *_ONLY_SILVER):
        values = (line.get(name), in_silver.get(name))
        if all(value in (None, "") for value in values):
            continue
        if in_silver and name not in source.feeds.columns:
            values = (values[0], _ELSEWHERE.get(name, "not a column of it"))
        table.add_row(_cut(name, _NAME_WIDTH), *(_cut(v, _VALUE_WIDTH) for v in values))
    console.print(table)
    for refusal in refused:
        blamed = f"{refusal['column']}: {_plain(refusal['value'])}"
        console.print(_cut(f"refused: {refusal['reason']}, {blamed}", 79, BAD))


def _show_outcome(found: DryRun, source: Source, console: Console) -> None:
    lake = "" if found.taken is None else "in an empty lake"
    heading(console, "what would become of it", lake)
    outcomes = ("accepted", "duplicate", "superseded", "quarantined", "blank")
    table = grid(*outcomes)
    table.columns[0].justify = "right"
    table.add_row(*(format_count(found.counts[name]) for name in outcomes))
    console.print(table)
    if found.profiles:
        console.print(f"and {format_count(found.profiles)} profiles from its lines")
    if source.feeds is not PURCHASES or found.accepted.is_empty():
        return
    sums = (
        found.accepted.group_by("kind", "currency")
        .agg(lines=pl.len(), net=pl.sum("net_amount"))
        .sort("kind", "currency")
    )
    table = grid("kind", "currency", "lines", "net amount", words=("currency",))
    for kind, currency, lines, net in sums.iter_rows():
        table.add_row(kind, currency or "not named", format_count(lines), format_money(net))
    console.print()
    console.print(table)


def _show_refusals(found: DryRun, console: Console) -> None:
    reasons = found.refusals()
    if reasons.is_empty():
        return
    heading(console, "would be refused", "count, what can be read of the amounts, values")
    table = grid("reason", "column", "count", "amount", "for example", words=("column",))
    table.columns[4].justify = "left"
    for row in reasons.iter_rows(named=True):
        examples = ", ".join(_plain(value) for value in row["values"])
        table.add_row(
            Text(row["reason"], BAD),
            row["column"] or "record",
            format_count(row["count"]),
            format_money(row["amount"]),
            _cut(examples, 24),
        )
    console.print(table)


def _show_remarks(found: DryRun, console: Console) -> None:
    for title, remark, name in (
        ("read by a guess", "nothing in the file decided, and no setting did", "guessed"),
        ("not readable", "kept without the value", "unreadable"),
    ):
        columns = found.named_in(name)
        if columns.is_empty():
            continue
        heading(console, title, remark)
        table = grid("column", "count", "net amount, signs aside")
        for column, count, amount in columns.iter_rows():
            table.add_row(Text(column, WARN), format_count(count), format_money(amount))
        console.print(table)


def _show_columns(found: DryRun, console: Console) -> None:
    for title, names in (
        ("unknown columns, kept in _rescued", found.unknown),
        ("columns that the file lacks", found.missing),
    ):
        if names:
            console.print(Text(f"\n{title}: {_listed(names)}"))
    if found.taken is not None:
        console.print(Text.assemble("\n", _plain_text(f"{found.taken}", WARN)))


def _of_record(frame: pl.DataFrame, column: str, place: int) -> list[dict[str, Any]]:
    if column not in frame.columns:
        return []
    item = "_item" if column == "_pos" else "item"
    return frame.filter(pl.col(column) == place).sort(item).to_dicts()


def _add_rows(table: Any, pairs: Iterable[tuple[str, object]]) -> None:
    for name, value in pairs:
        table.add_row(_cut(name, _NAME_WIDTH), _cut(value, _RAW_WIDTH))


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    shown = ", ".join(_plain(name) for name in names[:_MOST_NAMES])
    return shown if rest <= 0 else f"{shown} and {rest:,} more"


def _plain(value: object) -> str:
    """A value without characters that a screen obeys."""
    return printable("–" if value is None else f"{value}".removesuffix("+00:00"))


def _plain_text(text: str, style: str) -> Text:
    return Text(_plain(text), style)


def _cut(value: object, width: int, style: str = "") -> Text:
    text = _plain(value)
    return Text(text if len(text) <= width else f"{text[: width - 1]}…", style=style)
