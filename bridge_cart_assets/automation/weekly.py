"""The weekly report without anybody asking: a file in the data folder, and a mail.

Belongs here: the job, its schedule, and how many reports are kept. Does not belong here: what the
report says (`reports.weekly`), or how a mail is sent (`alerts.delivery`).
"""

import os
from pathlib import Path

import dagster as dg

from bridge_cart_assets.alerts.delivery import DeliveryError, send_mail
from bridge_cart_assets.alerts.messages import report_mail
from bridge_cart_assets.automation.executor import leased_executor
from bridge_cart_assets.automation.jobs import QUIET
from bridge_cart_assets.settings import Settings

FOLDER = "reports"
KEPT = 53


def save_weekly_report(settings: Settings) -> Path:
    """Write the report of the latest week below the data folder, and mail it where it is wanted.

    The file is there before the mail goes, and a week that is reported again replaces its file.

    Raises:
        NoReportError, NoCatalogueError, UnreadableCatalogueError: there are no figures.
        DeliveryError: the server does not take the mail.
    """
    # The page's libraries are slow to load, and few runs want them.
    from bridge_cart_assets.reports.weekly.report import weekly_report

    messages = settings.messages
    last, html = weekly_report(settings.catalogue, settings.currency, messages.shop)
    folder = settings.data / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"week-to-{last}.html"
    unfinished = file.with_suffix(".tmp")
    unfinished.write_bytes(html)
    os.replace(unfinished, file)
    for old in sorted(folder.glob("week-to-*.html"))[:-KEPT]:
        old.unlink()
    if messages.mail is not None and messages.report_receivers:
        sender, receivers = messages.mail.sender, messages.report_receivers
        send_mail(report_mail(html, last, messages.shop, sender, receivers), messages.mail)
    return file


@dg.op(required_resource_keys={"settings"}, name="save_report")
def _report(context: dg.OpExecutionContext) -> None:
    """The report of the latest week."""
    from bridge_cart_assets.reports.catalogue import NoCatalogueError, UnreadableCatalogueError
    from bridge_cart_assets.reports.weekly.report import NoReportError

    try:
        file = save_weekly_report(context.resources.settings)
    except (NoReportError, NoCatalogueError) as nothing:
        context.log.info(f"no report: {nothing}")
    except (UnreadableCatalogueError, DeliveryError) as error:
        raise dg.Failure(str(error)) from error
    else:
        context.log.info(f"wrote {file}")


@dg.job(
    name="weekly_report",
    executor_def=leased_executor,
    config=QUIET,
    description="The latest week as one HTML file below the data folder, and as a mail.",
)
def weekly_report_job() -> None:
    """One step: the report."""
    _report()


def weekly_report_schedule(zone: str) -> dg.ScheduleDefinition:
    """The schedule that asks for the report on Monday mornings of the shop."""
    return dg.ScheduleDefinition(
        name="monday_report",
        job=weekly_report_job,
        cron_schedule="0 7 * * 1",
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"The report of the week, every Monday at 07:00 {zone}.",
    )
