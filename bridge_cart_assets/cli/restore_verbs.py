"""The verb that goes back in time: restore, and the list of the states that it can go back to.

Belongs here: what is asked and said. Does not belong here: the order of the steps
(`terminal.restoring`), or words for states (`terminal.states`).
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from bridge_cart_assets.cli.options import CommandError, interruptible, wait_option
from bridge_cart_assets.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.lake.past_versions import TableLog


@click.command()
@click.option(
    "--as-of",
    "as_of",
    metavar="VERSION_OR_TIME",
    help="The run that left the state, as --list shows it, or a moment: 2024-03-01T12:00.",
)
@click.option("--list", "is_list", is_flag=True, help="Show the states that runs have left.")
@click.option("--yes", is_flag=True, help="Go back; without it, only say what would be undone.")
@wait_option
@click.pass_obj
@interruptible
def restore(settings: Settings, as_of: str | None, is_list: bool, yes: bool, wait: float) -> None:
    """Bring all tables back to one earlier state; the next run takes in again what came after."""
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.lake_states import table_logs
    from bridge_cart_assets.terminal.alone import having_the_lake
    from bridge_cart_assets.terminal.restoring import restore_lake
    from bridge_cart_assets.terminal.states import shop_time

    lake = Lake(settings.lake, settings.storage_options)
    if as_of is None or is_list:
        if yes:
            raise click.UsageError("name the state to go back to: --as-of VERSION_OR_TIME")
        _show_states(settings, lake)
        return
    moment = _moment(settings, as_of, table_logs(lake))
    at = shop_time(moment, settings.timezone)
    if not yes:
        if _is_undoing(settings, lake, moment, at):
            raise click.UsageError("nothing was changed: to go back, add --yes")
        return
    with having_the_lake(settings, wait):
        written = restore_lake(settings, moment, wait)
    if not written:
        click.echo(f"nothing has changed since {at}")
        return
    click.echo(f"the lake is what it was at {at}: {written:,} tables went back")
    click.echo("Next: bridge-cart run takes in again what came after and still lies in landing")


def _moment(settings: Settings, text: str, logs: "Mapping[str, TableLog]") -> datetime:
    from bridge_cart_assets.pipeline.lake_states import lake_states
    from bridge_cart_assets.terminal.states import moment_named

    try:
        moment = moment_named(text, settings.timezone, lake_states(logs))
    except ValueError as error:
        raise click.UsageError(
            f"--as-of {text!r} is no time: write it as 2024-03-01T12:00, with a zone if it is not "
            "the shop's"
        ) from error
    if moment > datetime.now(UTC):
        raise click.UsageError(f"--as-of {text!r} has not come yet")
    return moment


def _show_states(settings: Settings, lake: "Lake") -> None:
    from bridge_cart_assets.pipeline.lake_states import earliest_state, lake_states, table_logs
    from bridge_cart_assets.terminal.states import earliest_in_words, states_shown
    from bridge_cart_assets.terminal.style import console

    logs = table_logs(lake)
    earliest = earliest_state(lake, logs)
    if earliest is None:
        raise CommandError("there is no lake yet: land files and run first")
    states = [state for state in lake_states(logs) if state.at >= earliest.at]
    console().print(states_shown(states, settings.timezone))
    click.echo(earliest_in_words(earliest, settings.timezone))


def _is_undoing(settings: Settings, lake: "Lake", moment: datetime, at: str) -> bool:
    """Say what would be undone; whether anything would."""
    from bridge_cart_assets.pipeline.restoring import changes_to, targets_of
    from bridge_cart_assets.terminal.escaping import printable
    from bridge_cart_assets.terminal.states import undone_in_lines

    changes = changes_to(lake, targets_of(lake, moment))
    if not any(change.is_due for change in changes):
        click.echo(f"nothing has changed since {at}")
        return False
    click.echo(f"back to {at}:")
    for line in undone_in_lines(settings, lake, changes):
        click.echo(f"  {printable(line)}")
    return True
