"""The frame of the `bridge-cart` command.

Belongs here: the group of verbs, how an error ends the command, and the exit codes: 0 done, 1 the
work failed, 2 wrong use. Does not belong here: what a verb does.
"""

import sys
from typing import NoReturn

import click

from bridge_cart_assets.automation.interruption import exit_on_signals
from bridge_cart_assets.cli.alert_verbs import alert
from bridge_cart_assets.cli.file_verbs import retract
from bridge_cart_assets.cli.migrate_verb import migrate
from bridge_cart_assets.cli.person_verbs import erase, export
from bridge_cart_assets.cli.read_verbs import report, sql, status, try_file
from bridge_cart_assets.cli.repair_verbs import doctor, topics
from bridge_cart_assets.cli.restore_verbs import restore
from bridge_cart_assets.cli.run_verbs import check, rebuild, retrain, run
from bridge_cart_assets.cli.shop_verbs import generate
from bridge_cart_assets.settings import Settings, SettingsError
from bridge_cart_assets.terminal.messages import say_error, words_for


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(package_name="bridge-cart", prog_name="bridge-cart")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """A lakehouse for a shop's orders and customers."""
    context.obj = settings = Settings.from_environment()
    if settings.encodings or settings.dates:
        from bridge_cart_assets.sources import sources_read_as

        # Refuses a name that is no source, whatever the verb.
        sources_read_as(settings.encodings, settings.dates)
    context.meta["debug"] = debug


VERBS = (
    *(generate, run, check, retrain, rebuild, status, sql, report, try_file, doctor, topics),
    *(export, erase, retract, restore, migrate, alert),
)
for verb in VERBS:
    cli.add_command(verb)


def main() -> NoReturn:
    """Run the command; errors are one or two lines on stderr, tracebacks only with --debug."""
    debug = "--debug" in sys.argv
    exit_on_signals()
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.Abort:
        sys.exit(1)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        remedy = f" (see {context.command_path} --help)" if context else ""
        say_error(error.format_message() + remedy)
        sys.exit(2)
    except SettingsError as error:
        say_error(str(error))
        sys.exit(2)
    except BaseException as error:
        # A panic of a Rust library, without file handles for instance, is not an Exception.
        if debug or isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise
        say_error(words_for(error))
        sys.exit(1)
    sys.exit(0)
