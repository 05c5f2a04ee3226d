"""The verb that sends alerts, and what has the verbs that run a job send them at their end.

Belongs here: when the command looks for alerts, and what it says of it. Does not belong here: what
is wrong, and how it is sent (`alerts`).
"""

from collections.abc import Callable
from functools import wraps

import click

from bridge_cart_assets.cli.options import CommandError, interruptible
from bridge_cart_assets.settings import Settings, SettingsError
from bridge_cart_assets.terminal.messages import say_warning, words_for


@click.command()
@click.option("--test", "is_test", is_flag=True, help="Send a message that says that it is a test.")
@click.pass_obj
@interruptible
def alert(settings: Settings, is_test: bool) -> None:
    """Look at the state of the lakehouse and send what is new of it to the webhook and by mail."""
    from bridge_cart_assets.automation.alerting import send_alerts, send_test

    if not settings.messages.has_alerts:
        raise click.UsageError(
            "no receiver is set: set BRIDGE_CART_ALERT_WEBHOOK, or BRIDGE_CART_SMTP and "
            "BRIDGE_CART_ALERT_MAIL"
        )
    sent = send_test(settings) if is_test else send_alerts(settings)
    for refusal in sent.refused:
        say_warning(refusal)
    if sent.refused:
        raise CommandError("a channel did not take its message; the next call sends it again")
    messages = "one message" if sent.taken == 1 else f"{sent.taken} messages"
    click.echo(f"sent {messages}" if sent.taken else "nothing is new")


def alerting(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb that runs a job, and sends at its end what people should hear of.

    Whatever becomes of the messages, the verb ends as it would without them.
    """

    @wraps(verb)
    def run_verb(settings: Settings, *arguments: object, **options: object) -> None:
        try:
            verb(settings, *arguments, **options)
        except (click.ClickException, SettingsError, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            _send(settings, words_for(error))
            raise
        _send(settings, "")

    return run_verb


def _send(settings: Settings, ended: str) -> None:
    if not settings.messages.has_alerts:
        return
    from bridge_cart_assets.automation.alerting import send_alerts

    try:
        refused = send_alerts(settings, ended).refused
    except (OSError, TimeoutError) as error:
        refused = (str(error),)
    for refusal in refused:
        say_warning(f"{refusal}; bridge-cart alert sends it again")
