"""Every Monday the week is a file, and a mail where somebody wants it."""

from pathlib import Path

import dagster as dg
import pytest

from bridge_cart_assets.alerts.delivery import DeliveryError
from bridge_cart_assets.automation import weekly
from bridge_cart_assets.automation.weekly import save_weekly_report
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.alerts.receivers import postbox
from bridge_cart_tests.reports.catalogues import shop, write_catalogue


def settings(data: Path, port: int = 0) -> Settings:
    given = {"BRIDGE_CART_DATA": str(data), "BRIDGE_CART_TIMEZONE": "Europe/Berlin"}
    if port:
        given |= {
            "BRIDGE_CART_SMTP": f"smtp://127.0.0.1:{port}",
            "BRIDGE_CART_REPORT_MAIL": "owner@example.org",
            "BRIDGE_CART_SHOP": "Corner\r\nBcc: x@example.org",
        }
    return Settings.from_environment(given)


def test_it_is_mailed_with_the_file_that_was_saved(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "bridge_cart.duckdb", shop())
    with postbox() as box:
        file = save_weekly_report(settings(tmp_path, box.port))
    [mail] = box.mails
    assert mail["To"] == "owner@example.org"
    assert mail["Bcc"] is None
    [attached] = mail.iter_attachments()
    assert attached.get_filename() == file.name
    assert attached.get_content().splitlines() == file.read_text().splitlines()
    body = mail.get_body(("html",))
    assert body is not None
    assert body.get_content().splitlines() == file.read_text().splitlines()


def test_the_file_is_there_when_the_mail_is_refused(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "bridge_cart.duckdb", shop())
    with postbox() as box:
        box.refuses = "550 no"
        with pytest.raises(DeliveryError):
            save_weekly_report(settings(tmp_path, box.port))
    assert len(list((tmp_path / "reports").glob("*.html"))) == 1


def test_no_more_than_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weekly, "KEPT", 2)
    write_catalogue(tmp_path / "bridge_cart.duckdb", shop())
    folder = tmp_path / "reports"
    folder.mkdir()
    for day in ("2020-01-05", "2020-01-12"):
        (folder / f"week-to-{day}.html").write_text("old")
    (folder / "mine.html").write_text("not a report of ours")
    file = save_weekly_report(settings(tmp_path))
    assert {path.name for path in folder.iterdir()} == {
        file.name, "week-to-2020-01-12.html", "mine.html",
    }  # fmt: skip


def test_the_job_ends_well_without_figures_and_the_schedule_is_the_shops(tmp_path: Path) -> None:
    defs = build_defs(settings(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        assert defs.resolve_job_def("weekly_report").execute_in_process(instance=instance).success
    assert not (tmp_path / "reports").exists()
    schedule = defs.resolve_schedule_def("monday_report")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 7 * * 1", "Europe/Berlin")
