"""The verb that lands a synthetic shop: generate."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from bridge_cart_assets.cli.options import DAY, date_of, interruptible
from bridge_cart_assets.object_store import is_uri
from bridge_cart_assets.settings import Settings


@click.command()
@click.option("--customers", type=int, help="How many customers there are on the first day.")
@click.option("--days", type=int, help="How many days.")
@click.option("--until", type=DAY, help="Up to this day; a shop that is there goes on.")
@click.option("--start", type=DAY, default="2024-01-01", show_default=True, help="First day.")
@click.option("--newcomers", type=float, default=0, show_default=True, help="Sign-ups a day.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, another shop.")
@click.option("--dirt", type=float, default=0.02, show_default=True, help="Share of bad records.")
@click.option(
    "--defect",
    "rates",
    metavar="KIND=RATE",
    multiple=True,
    help="Share of the records or files with one kind of defect; docs/generator.md names them.",
)
@click.option(
    "--guests", type=float, default=0, show_default=True, help="Share of orders without an account."
)
@click.option(
    "--second-accounts",
    type=float,
    default=0,
    show_default=True,
    help="Share of customers who are another one's second account.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "ndjson", "parquet"]),
    default="csv",
    show_default=True,
)
@click.option("--gz", is_flag=True, help="Compress the files (csv and ndjson).")
@click.option(
    "--to",
    type=click.Choice(["files", "kafka"]),
    default="files",
    show_default=True,
    help="Land files, or send messages (ndjson) to the topics.",
)
@click.pass_context
@interruptible
def generate(context: click.Context, /, until: datetime | None, **arguments: object) -> None:
    """Land a synthetic shop's daily files, or send them to Kafka, with the truth beside them."""
    from bridge_cart_assets.generator.arguments import Shop
    from bridge_cart_assets.generator.ground_truth import AnotherShopError
    from bridge_cart_assets.generator.shop import generate as land
    from bridge_cart_assets.terminal.progress import bar

    settings: Settings = context.obj
    given = {
        name: value
        for name, value in arguments.items()
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    if given.get("to") == "kafka":
        given.setdefault("form", "ndjson")
    if "customers" in given:
        # Without, the shop that is there goes on in its own zone.
        given["zone"] = settings.timezone
    try:
        shop = Shop.asked_for(settings.data, date_of(until), **_shop_arguments(given))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if shop.to != "kafka" and is_uri(settings.landing_at):
        raise click.UsageError(
            f"generate lands files in folders only, and BRIDGE_CART_LANDING is "
            f"{settings.landing_at}: set it to a folder, then copy the files there"
        )
    if shop.to == "kafka" and not settings.kafka:
        raise click.UsageError("--to kafka needs BRIDGE_CART_KAFKA_BOOTSTRAP_SERVERS")
    try:
        with bar("generating days") as advance:
            landed = land(
                shop,
                settings.data,
                progress=advance,
                brokers=settings.kafka,
                landing=None if shop.to == "kafka" else settings.landing,
            )
    except AnotherShopError as error:
        raise click.UsageError(str(error)) from error
    if landed.days:
        if shop.to == "kafka":
            place = "sent to the topics bridge-cart.customers and bridge-cart.purchases"
        else:
            place = f"in {landed.files:,} files below {settings.landing}"
        click.echo(
            f"{landed.lines:,} order lines of {landed.days:,} days {place}\nNext: bridge-cart run"
        )
    else:
        click.echo("all these days have landed already\nFor more: bridge-cart generate --until DAY")


def _shop_arguments(given: Mapping[str, object]) -> dict[str, Any]:
    """The options that were given as arguments of a shop.

    Raises:
        ValueError: a `KIND=RATE` is none.
    """
    arguments = dict(given)
    if "start" in arguments:
        arguments["start"] = date_of(arguments["start"])  # type: ignore[arg-type]
    if "rates" in arguments:
        rates = [_rate(text) for text in arguments["rates"]]  # type: ignore[attr-defined]
        twice = {kind for kind, _ in rates if [k for k, _ in rates].count(kind) > 1}
        if twice:
            raise ValueError(f"--defect {min(twice)} was said twice")
        arguments["rates"] = dict(rates)
    return arguments


def _rate(text: str) -> tuple[str, float]:
    kind, _, rate = text.partition("=")
    try:
        return kind, float(rate)
    except ValueError as error:
        raise ValueError(
            f"--defect {text} is not accepted: KIND=RATE, late_arrival=0.05"
        ) from error
