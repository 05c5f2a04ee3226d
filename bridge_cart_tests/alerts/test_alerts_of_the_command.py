"""The command, a webhook and a mail server: each event once, and that it is over."""

from pathlib import Path

import pytest
from dagster import DagsterInstance, build_sensor_context
from dagster import Failure as TickFailure

from bridge_cart_assets.automation.sensors import alert_sensor
from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.settings import Settings
from bridge_cart_tests.alerts.receivers import postbox, webhook
from bridge_cart_tests.conftest import Command

ORDER = "order_id,customer_id,purchase_date,purchase_amount\n{},C1,2024-01-01,5\n"


def land(data: Path, name: str, text: str) -> None:
    folder = data / "landing" / "purchases"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.mark.slow
def test_a_failed_command_is_sent_once_and_its_recovery_once(
    tmp_path: Path, command: Command
) -> None:
    with webhook() as hook, postbox() as box:
        to = {
            "BRIDGE_CART_ALERT_WEBHOOK": hook.address,
            "BRIDGE_CART_SMTP": f"smtp://127.0.0.1:{box.port}",
            "BRIDGE_CART_ALERT_MAIL": "ops@example.org",
            "BRIDGE_CART_SHOP": "Corner",
        }
        land(tmp_path, "2024-01-01.csv", ORDER.format("O1"))
        assert command("run", **to).returncode == 0
        # Old orders and models without data are the news of this shop.
        hook.bodies.clear()
        box.mails.clear()
        broken = to | {"BRIDGE_CART_ENGINE": "spark://127.0.0.1:9"}
        for _ in range(2):
            land(tmp_path, "2024-01-02.csv", ORDER.format("O2"))
            failed = command("run", **broken)
            assert failed.returncode == 1
        assert [[p["key"] for p in body["began"]] for body in hook.bodies] == [["run"]]
        assert "cannot be reached" in hook.bodies[0]["began"][0]["detail"]
        [mail] = box.mails
        assert mail["Subject"] == "Bridge-Cart Corner: 1 problem (The last run failed)"
        assert command("alert", **to).stdout == "nothing is new\n"
        assert command("run", **to).returncode == 0
        assert [[p["key"] for p in body["ended"]] for body in hook.bodies] == [[], ["run"]]
        assert box.mails[1]["Subject"] == "Bridge-Cart Corner: 1 solved (The last run failed)"
        assert command("alert", **to).stdout == "nothing is new\n"
    assert "T0KEN" not in "".join(
        path.read_text(errors="replace") for path in tmp_path.rglob("*.json")
    )


def test_a_channel_that_is_down_changes_nothing_and_is_sent_it_later(
    tmp_path: Path, command: Command
) -> None:
    land(tmp_path, "2024-01-01.csv", ORDER.format("O1"))
    with webhook() as hook:
        to = {"BRIDGE_CART_ALERT_WEBHOOK": hook.address, "BRIDGE_CART_ALERT_FORM": "slack"}
        hook.status = 503
        done = command("run", **to)
        assert done.returncode == 0
        assert (
            "the webhook at 127.0.0.1 answered 503; bridge-cart alert sends it again" in done.stderr
        )
        again = command("alert", **to)
        assert (again.returncode, "answered 503" in again.stderr) == (1, True)
        hook.status = 200
        assert command("alert", **to).stdout == "sent one message\n"
        assert hook.bodies[-1] == hook.bodies[0]


def test_a_lakehouse_that_cannot_be_read_is_news(tmp_path: Path, command: Command) -> None:
    land(tmp_path, "2024-01-01.csv", ORDER.format("O1"))
    assert command("run").returncode == 0
    damaged = tmp_path / "dagster" / "runs.db"
    damaged.write_bytes(b"no database" * 1000)
    with webhook() as hook:
        assert command("alert", BRIDGE_CART_ALERT_WEBHOOK=hook.address).returncode == 0
    [body] = hook.bodies
    assert "status" in [found["key"] for found in body["began"]]


def test_a_test_message_is_sent_each_time(command: Command) -> None:
    with webhook() as hook:
        to = {"BRIDGE_CART_ALERT_WEBHOOK": hook.address, "BRIDGE_CART_ALERT_FORM": "teams"}
        for _ in range(2):
            assert command("alert", "--test", **to).stdout == "sent one message\n"
    assert len(hook.bodies) == 2


def test_without_a_channel_it_is_wrong_use(command: Command) -> None:
    done = command("alert")
    assert done.returncode == 2
    assert "BRIDGE_CART_ALERT_WEBHOOK" in done.stderr


def test_the_sensor_is_there_when_a_channel_is_and_its_tick_fails_with_it(tmp_path: Path) -> None:
    with webhook() as hook, DagsterInstance.ephemeral() as instance:
        given = {"BRIDGE_CART_DATA": str(tmp_path), "BRIDGE_CART_ALERT_WEBHOOK": hook.address}
        settings = Settings.from_environment(given)
        names = {sensor.name for sensor in build_defs(settings).sensors or []}
        assert "alert_sensor" in names
        without = build_defs(Settings.from_environment({"BRIDGE_CART_DATA": str(tmp_path)}))
        assert "alert_sensor" not in {sensor.name for sensor in without.sensors or []}
        (tmp_path / "lake" / "silver" / "accounting").mkdir(parents=True)
        (tmp_path / "lake" / "silver" / "accounting" / "_delta_log").write_text("no folder")
        hook.status = 500
        with pytest.raises(TickFailure, match="answered 500"):
            alert_sensor(build_sensor_context(instance, resources={"settings": settings}))
