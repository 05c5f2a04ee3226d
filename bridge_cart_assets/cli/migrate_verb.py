"""The verb migrate: a lake and Dagster's state of an earlier version.

Belongs here: what is asked and said. Does not belong here: the steps (`terminal.migrating`).
"""

import click

from bridge_cart_assets.cli.options import interruptible, wait_option
from bridge_cart_assets.settings import Settings


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@wait_option
@click.pass_obj
@interruptible
def migrate(settings: Settings, dry_run: bool, wait: float) -> None:
    """Bring tables and Dagster's state of an earlier version up to date."""
    from bridge_cart_assets.cli.run_verbs import finish
    from bridge_cart_assets.terminal.migrating import due_migration, migrate_all

    due = due_migration(settings)
    if not due.is_due:
        click.echo("nothing to migrate: tables and Dagster's state are of this version")
        return
    for line in due.in_lines():
        click.echo(line)
    if dry_run:
        click.echo("nothing was changed")
        return
    outcome = migrate_all(settings, wait)
    if outcome is not None:
        finish(settings, outcome)
    click.echo("migrated")
