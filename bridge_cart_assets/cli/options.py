"""What verbs have in common: options, how a signal ends them, and the error that they fail with.

Belongs here: what more than one module of verbs needs. Dagster takes seconds to import, so the
modules of verbs import it, and all that is slow, within the verbs that need it.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial, wraps

import click

from bridge_cart_assets.automation.interruption import run_interruptibly

DAY = click.DateTime(formats=["%Y-%m-%d"])
wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=600,
    show_default=True,
    help="How long to wait for another run to end.",
)


def interruptible(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb that SIGINT and SIGTERM end at once, with 130 or 143."""

    @wraps(verb)
    def run_verb(*arguments: object, **options: object) -> None:
        run_interruptibly(partial(verb, *arguments, **options))

    return run_verb


class CommandError(Exception):
    """The work failed; the message is one or two lines with cause and remedy."""


def date_of(moment: datetime | None) -> date | None:
    """The day of an option; None when it was not given."""
    return None if moment is None else moment.date()
