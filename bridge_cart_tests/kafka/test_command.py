"""`bridge-cart` with Kafka: exit codes, and errors in two lines that keep the password."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge_cart_assets import cli
from bridge_cart_assets.generator import producing
from bridge_cart_assets.ingestion import kafka_admin
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.sources.customers import CUSTOMERS
from bridge_cart_assets.sources.purchases import PURCHASES
from bridge_cart_assets.tables import silver
from bridge_cart_tests.conftest import Command
from bridge_cart_tests.kafka.mock import MockCluster
from bridge_cart_tests.kafka.producing import Message, produce

TOPIC = str(PURCHASES.topic)
NAME = "BRIDGE_CART_KAFKA_"
SERVERS = f"{NAME}BOOTSTRAP_SERVERS"
PASSWORD = "open-sesame-4711"  # noqa: S105 (of nothing)
NOON = 1_704_110_400_000  # 2024-01-01 12:00 UTC in milliseconds
ORDER = b'{"order_id":"O1","customer_id":"C1","purchase_date":"2024-01-01","purchase_amount":10}'


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def error(self) -> list[str]:
        """The lines of the error; progress and warnings aside."""
        lines = self.err.splitlines()
        return lines[lines.index(next(line for line in lines if line.startswith("error:"))) :]


Call = Callable[..., Done]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Calls the command in this process, where brokers that are away cost half a second only."""
    monkeypatch.setattr(kafka_admin, "SECONDS", 0.5)
    monkeypatch.setattr(producing, "DELIVERY_SECONDS", 0.5)
    monkeypatch.setenv("BRIDGE_CART_DATA", str(tmp_path))
    # So that it is unset again afterwards, even if something sets it in between.
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_HOME")

    def run(*arguments: str, **environment: str) -> Done:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr("sys.argv", ["bridge-cart", *arguments])
            capfd.readouterr()
            thrown = ""
            try:
                cli.main()
            except SystemExit as leave:
                code = int(leave.code or 0)
            except Exception:  # noqa: BLE001 (with --debug, Python itself would print it)
                code, thrown = 1, traceback.format_exc()
        said = capfd.readouterr()
        return Done(code, said.out, said.err + thrown)

    return run


@pytest.fixture
def cluster(mock_cluster: MockCluster, monkeypatch: pytest.MonkeyPatch) -> MockCluster:
    for source in (CUSTOMERS, PURCHASES):
        mock_cluster.create_topic(str(source.topic))
    monkeypatch.setenv(SERVERS, mock_cluster.bootstrap)
    return mock_cluster


def silver_orders(data: Path) -> int:
    return Lake(str(data / "lake")).snapshot(silver.PURCHASES).rows


@pytest.mark.slow
def test_a_shop_goes_through_the_topics(
    tmp_path: Path, command: Command, call: Call, cluster: MockCluster
) -> None:
    brokers = {SERVERS: cluster.bootstrap}
    shop = ("generate", "--customers", "60", "--days", "8", "--to", "kafka")
    sent = command(*shop, **brokers)
    assert sent.returncode == 0, sent.stderr
    assert "sent to the topics bridge-cart.customers" in sent.stdout
    assert not (tmp_path / "landing").exists()
    waiting = call("topics")
    assert (waiting.code, waiting.out.count("messages wait")) == (0, 2)

    taken = command("run", **brokers)

    assert taken.returncode == 0, taken.stderr
    assert silver_orders(tmp_path) > 10
    again = call("run")
    assert (again.code, "nothing new among 0 files, and no message waits" in again.out) == (0, True)
    shown = call("topics")
    assert (shown.code, shown.out.count("up to date")) == (0, 2)
    assert "landed already" in call(*shop).out


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_messages_of_a_shop_elsewhere_are_of_its_days(
    tmp_path: Path, command: Command, cluster: MockCluster, zone: str
) -> None:
    here = {SERVERS: cluster.bootstrap, "BRIDGE_CART_TIMEZONE": zone}
    shop = ("--customers", "60", "--days", "12", "--start", "2024-03-03", "--dirt", "0")
    for verb in (("generate", *shop, "--to", "kafka"), ("run",)):
        done = command(*verb, **here)
        assert done.returncode == 0, done.stderr
    lines = Lake(str(tmp_path / "lake")).snapshot(silver.PURCHASES).read().filter(kind="sale")
    assert lines.height > 10
    assert lines["batch_day"].equals(lines["purchase_day"])
    assert (lines["purchase_date"].dt.date() != lines["purchase_day"]).any()


@pytest.mark.slow
def test_lost_messages_stop_the_run_until_the_loss_is_accepted(
    tmp_path: Path, call: Call, cluster: MockCluster
) -> None:
    produce(cluster.bootstrap, TOPIC, [Message(ORDER, NOON)])
    assert call("run").code == 0
    cluster.delete_topic(TOPIC)

    stopped = call("run")

    assert stopped.code == 1
    assert len(stopped.error) == 2
    assert f"{TOPIC}-0" in stopped.error[0]
    assert stopped.error[1].endswith(f"bridge-cart topics --accept-loss {TOPIC}")
    shown = call("topics")
    assert (shown.code, len(shown.error)) == (1, 2)
    assert "no longer there" in shown.out

    accepted = call("topics", "--accept-loss", TOPIC)
    assert accepted.code == 0, accepted.err
    assert f"accepted: {TOPIC}-0: it is no longer there" in accepted.out
    assert f"{TOPIC} is not there" in accepted.out
    assert "nothing new" in call("run").out
    assert silver_orders(tmp_path) == 1


@pytest.mark.slow
def test_files_are_taken_while_the_brokers_are_away(
    tmp_path: Path, call: Call, cluster: MockCluster
) -> None:
    file = tmp_path / "landing/purchases/2024-01-01.ndjson"
    file.parent.mkdir(parents=True)
    file.write_bytes(ORDER)
    cluster.take_down()

    first = call("run")

    assert (first.code, len(first.error)) == (1, 2)
    assert first.error[0].startswith(f"error: Kafka at {cluster.bootstrap}: ")
    assert silver_orders(tmp_path) == 1
    second = call("run")
    assert (second.code, len(second.error)) == (1, 2)
    assert "nothing new" not in second.out
    for other in (call("topics"), call("topics", "--accept-loss", TOPIC)):
        assert (other.code, len(other.err.splitlines())) == (1, 2)


def test_a_shop_is_not_begun_while_the_brokers_are_away(
    tmp_path: Path, call: Call, cluster: MockCluster
) -> None:
    cluster.take_down()

    done = call("generate", "--customers", "5", "--days", "2", "--to", "kafka")

    assert (done.code, len(done.err.splitlines())) == (1, 2)
    assert f"Kafka at {cluster.bootstrap}" in done.err
    assert not (tmp_path / "truth").exists()
    cluster.bring_up()
    assert call("generate", "--customers", "5", "--days", "2", "--to", "kafka").code == 0


@pytest.mark.slow
def test_messages_of_days_without_a_partition_are_warned_about(
    call: Call, cluster: MockCluster
) -> None:
    produce(cluster.bootstrap, TOPIC, [Message(ORDER, 86_400_000 * 400)])
    call("run")

    warned = call("run")

    (line,) = warned.err.splitlines()
    assert line.startswith("warning: messages of 1971-02-05 not taken in")
    assert "BRIDGE_CART_START_DATE=1971-02-05" in line


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["topics"], {}, SERVERS),
        (["topics", "--accept-loss", "orders"], {SERVERS: "localhost:1"}, TOPIC),
        (["generate", "--customers", "5", "--days", "2", "--to", "kafka"], {}, SERVERS),
        (
            ["generate", "--customers", "5", "--days", "2", "--to", "kafka", "--format", "csv"],
            {SERVERS: "localhost:1"},
            "ndjson",
        ),
        (["run"], {SERVERS: "localhost"}, f"{SERVERS}='localhost'"),
        (["run"], {f"{NAME}SASL_PASSWORD": PASSWORD}, SERVERS),
        (["run"], {SERVERS: "a:1", f"{NAME}SASL_PASSWORD": PASSWORD}, f"{NAME}SASL_PASSWORD"),
        (["run"], {SERVERS: "a:1", f"{NAME}PASSWORD": PASSWORD}, f"{NAME}PASSWORD"),
        (["run"], {SERVERS: "a:1", f"{NAME}SECURITY_PROTOCOL": "tls"}, "sasl_ssl"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_two(
    tmp_path: Path, call: Call, arguments: list[str], environment: dict[str, str], says: str
) -> None:
    done = call(*arguments, **environment)

    assert done.code == 2
    (line,) = done.err.splitlines()
    assert says in line
    assert PASSWORD not in line
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["topics"],
        ["generate", "--customers", "5", "--days", "2", "--to", "kafka"],
        ["status"],
    ],
)
def test_no_password_is_shown_not_even_to_debug(
    call: Call, cluster: MockCluster, arguments: list[str]
) -> None:
    """The mock does not know logins: whatever wants one fails."""
    login = {
        f"{NAME}SECURITY_PROTOCOL": "sasl_plaintext",
        f"{NAME}SASL_USERNAME": "shop",
        f"{NAME}SASL_PASSWORD": PASSWORD,
    }
    for more in ([], ["--debug"]):
        done = call(*more, *arguments, **login)
        assert done.code == (0 if arguments == ["status"] else 1)
        assert PASSWORD not in done.out + done.err
        assert ("Traceback" in done.err) == bool(more and done.code)


@pytest.mark.slow
def test_a_run_says_what_of_its_messages_was_refused(call: Call, cluster: MockCluster) -> None:
    bad = ORDER.replace(b"2024-01-01", b"soon")
    produce(cluster.bootstrap, TOPIC, [Message(bad, NOON, 0), Message(ORDER, NOON, 0)])
    taken = call("run")
    assert taken.code == 0, taken.err
    said = f"purchases/{TOPIC}-0 of 2024-01-01: 1 of 2 records refused, 10.00 (BAD_DATE)"
    assert f"warn {said}" in taken.out.splitlines()
    assert f"warning: {said}" in taken.err.splitlines()
