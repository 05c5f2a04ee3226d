"""The verbs about one person: export, which shows what is stored, and erase, which removes it.

Belongs here: what is asked and said. Does not belong here: the order of the steps
(`terminal.erasing`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge_cart_assets.cli.options import CommandError, interruptible, wait_option
from bridge_cart_assets.settings import Settings

if TYPE_CHECKING:
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.person_index import PersonIndex


@click.command()
@click.argument("customer_id")
@click.pass_obj
@interruptible
def export(settings: Settings, customer_id: str) -> None:
    """Everything stored about a person, as JSON (access request)."""
    import json

    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.hash_key import hash_key_in
    from bridge_cart_assets.pipeline.person_data import data_of

    lake = Lake(settings.lake, settings.storage_options)
    index = _index_of(settings, lake, [customer_id])
    found: dict[str, Any] = {"customer_id": customer_id}
    key = hash_key_in(settings.hash_key) or b""
    found |= data_of(lake, settings.landing_zone, index, key)
    click.echo(json.dumps(found, indent=2, default=str, ensure_ascii=False))


@click.command()
@click.argument("customer_id", required=False)
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Erase all persons whose ids this file has, one a line.",
)
@click.option("--yes", is_flag=True, help="Erase; without it, only say what would be removed.")
@wait_option
@click.pass_obj
@interruptible
def erase(
    settings: Settings, customer_id: str | None, file: Path | None, yes: bool, wait: float
) -> None:
    """Remove a person from every layer, old files and logs included."""
    from bridge_cart_assets.lake.delta import Lake
    from bridge_cart_assets.pipeline.person_data import counts_about
    from bridge_cart_assets.terminal.alone import having_the_lake
    from bridge_cart_assets.terminal.erasing import erase_persons, refuse_unreachable

    ids = _ids(customer_id, file)
    refuse_unreachable(settings)
    if not yes:
        lake = Lake(settings.lake, settings.storage_options)
        index = _index_of(settings, lake, ids)
        click.echo(f"{len(index.persons):,} persons with {len(index.identities):,} ids")
        for table, count in counts_about(lake, index).items():
            click.echo(f"  {table}: {count:,} rows")
        raise click.UsageError("nothing was removed: to erase this for good, add --yes")
    with having_the_lake(settings, wait):
        receipt = erase_persons(settings, ids, wait)
    _say_receipt(receipt)


def _ids(customer_id: str | None, file: Path | None) -> list[str]:
    if (customer_id is None) == (file is None):
        raise click.UsageError("name one CUSTOMER_ID, or a --file with one id a line")
    if file is None:
        return [str(customer_id)]
    ids = list(dict.fromkeys(filter(None, map(str.strip, file.read_text().splitlines()))))
    if not ids:
        raise click.UsageError(f"{file} names nobody: it has one id a line")
    return ids


def _index_of(settings: Settings, lake: "Lake", ids: list[str]) -> "PersonIndex":
    from bridge_cart_assets.pipeline.hash_key import hash_key_in
    from bridge_cart_assets.pipeline.person_index import UnknownPersonError, find_persons

    try:
        key = hash_key_in(settings.hash_key) or b""
        return find_persons(lake, ids, key, landing=settings.landing_zone)
    except UnknownPersonError as unknown:
        raise CommandError(str(unknown)) from unknown


def _say_receipt(receipt: dict[str, Any]) -> None:
    import json

    from bridge_cart_assets.terminal.escaping import printable

    click.echo(json.dumps(receipt, indent=2))
    for place, kept in receipt["out_of_reach"].items():
        click.echo(f"not reached: {printable(place)}: {kept}", err=True)
    left = receipt["not_rewritten"]
    if left:
        first = next(iter(left))
        raise CommandError(
            f"{len(left)} landed files still name somebody, first of all {first}: {left[first]}\n"
            "remove them by hand; everything else is done"
        )
