"""Rows of an answer say what is in them."""

from bridge_cart_assets.lake.query import Answer
from bridge_cart_assets.terminal.rows import table_of
from bridge_cart_tests.terminal.consoles import lines, recorded


def test_brackets_are_text_and_no_mark_up() -> None:
    answer = Answer(["[b]name[/b]", "n"], [("[red]shoes", 1), ("[/x]", None)])
    console = recorded()
    console.print(table_of(answer))
    assert [line.split() for line in lines(console)] == [
        ["[b]name[/b]", "n"],
        ["[red]shoes", "1"],
        ["[/x]", "–"],
    ]
