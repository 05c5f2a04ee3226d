"""Errors and warnings of the command: one or two lines on stderr."""

import os

import click

from bridge_cart_assets.object_store import StoreError, store_problem
from bridge_cart_assets.terminal.escaping import printable, printable_lines


def say_error(text: str) -> None:
    """An error, after which the command ends."""
    click.echo(f"error: {printable_lines(text)}", err=True)


def say_warning(text: str) -> None:
    """Something to look at; the command goes on."""
    click.echo(f"warning: {printable(text)}", err=True)


def words_for(error: BaseException) -> str:
    """What happened and what to do about it, in two lines at most."""
    if type(error).__module__.startswith(("sqlalchemy", "dagster_postgres", "psycopg2")):
        from bridge_cart_assets.automation.instance import unusable

        return str(unusable(os.environ.get("DAGSTER_HOME", "its database"), error))
    if isinstance(error, StoreError):
        return _brief(str(error))
    if problem := store_problem(error):
        return problem
    return _brief(str(error) or type(error).__name__)


def _brief(message: str) -> str:
    """Two lines at most; the causes that delta-rs lists below each other are one line."""
    lines = [line.strip() for line in click.unstyle(message).splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("↳")]
    if causes:
        lines = [" ".join([lines[0], *causes])]
    return "\n".join(lines[:2])
