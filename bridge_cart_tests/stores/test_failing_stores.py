"""A store that refuses, is full, slow or away: a clear word in two lines, and tables as before."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from deltalake.exceptions import DeltaError

from bridge_cart_assets.ingestion.files import read_file
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.lake.commits import Commit
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.fsync import LOG
from bridge_cart_assets.lake.staging import FOLDERS, STAGED
from bridge_cart_assets.object_store import StoreError, object_store, store_problem
from bridge_cart_assets.terminal.messages import words_for
from bridge_cart_tests.lake.rows import BY_MONTH, VISITS, visits
from bridge_cart_tests.stores.servers import SECRET, Fault, Proxy, Server, free_port
from bridge_cart_tests.stores.shops import Command, StoredShop, where_the_secret_stands
from bridge_cart_tests.stores.test_rivals_and_kills import WAYS, append, stage

ANNA, BO = visits(("anna", "2024-01", 1)), visits(("bo", "2024-01", 2))


def is_put(method: str, path: str) -> bool:
    return method == "PUT"


def is_entry(method: str, path: str) -> bool:
    return method == "PUT" and "_delta_log" in path


def is_entry_of_table(method: str, path: str) -> bool:
    return is_entry(method, path) and not any(folder in path for folder in FOLDERS)


def is_second_entry_of_staged(method: str, path: str) -> bool:
    return is_entry(method, path) and STAGED in path and path.endswith(f"{1:020}.json")


DENIED = Fault(403, "AccessDenied")
FULL = Fault(507, "XMinioStorageFull", concerns=is_put)


def one_line(error: BaseException) -> str:
    said = words_for(error)
    assert 1 <= len(said.splitlines()) <= 2, said
    assert SECRET not in said
    return said


@pytest.fixture
def lake(server: Server, bucket: str, proxy: Proxy) -> Lake:
    """A lake behind the proxy, with one commit."""
    lake = Lake(f"s3://{bucket}/lake", server.environment(proxy.endpoint))
    lake.snapshot(VISITS).append(ANNA, Commit("before"))
    return lake


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (Fault(403, "AccessDenied"), "permission was denied"),
        pytest.param(
            Fault(403, "InvalidAccessKeyId"),
            "credentials are missing or not accepted",
            marks=pytest.mark.slow,
        ),
        (Fault(403, "AccessDenied", concerns=is_put), "permission was denied (PUT)"),
        # What a server answers with 5xx is asked again for half a minute.
        pytest.param(FULL, "the store is full", marks=pytest.mark.engines),
        pytest.param(
            Fault(507, "XMinioStorageFull", concerns=is_entry),
            "the store is full",
            marks=pytest.mark.engines,
        ),
        pytest.param(
            Fault(503, "SlowDown"), "keeps answering with errors", marks=pytest.mark.engines
        ),
    ],
)
def test_a_write_that_a_store_refuses_leaves_the_table_as_it_was(
    lake: Lake, proxy: Proxy, fault: Fault, word: str
) -> None:
    proxy.fault = fault
    with pytest.raises((StoreError, OSError, DeltaError)) as refused:
        lake.snapshot(VISITS).append(BO, Commit("refused"))
    assert word in one_line(refused.value)
    proxy.fault = None
    assert lake.snapshot(VISITS).read().equals(ANNA)
    lake.snapshot(VISITS).append(BO, Commit("after"))
    assert lake.snapshot(VISITS).rows == 2


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(503, "SlowDown", times=2), id="slow down", marks=pytest.mark.slow),
        pytest.param(
            Fault(500, "InternalError", concerns=is_entry, times=1), id="an entry that fails"
        ),
        pytest.param(
            Fault(cut=True, concerns=lambda method, path: method == "GET", times=1),
            id="a cut answer",
        ),
        pytest.param(Fault(seconds=0.5, times=4), id="slow", marks=pytest.mark.slow),
    ],
)
def test_a_store_that_fails_for_a_moment_is_asked_again(
    lake: Lake, proxy: Proxy, fault: Fault
) -> None:
    proxy.fault = fault
    lake.snapshot(VISITS).append(BO, Commit("after all"))
    assert proxy.failed
    assert sorted(lake.snapshot(VISITS).read()["visitor"]) == ["anna", "bo"]


@pytest.mark.parametrize(
    "concerns", [is_entry_of_table, pytest.param(is_entry, marks=pytest.mark.slow)]
)
def test_a_commit_whose_answer_is_lost_is_there_once(
    server: Server, bucket: str, proxy: Proxy, concerns: Callable[[str, str], bool]
) -> None:
    """The entry is put again, and refused because it is there: it is the writer's own."""
    lake = Lake(f"s3://{bucket}/lake", server.environment(proxy.endpoint))
    append(lake.snapshot(BY_MONTH), "first")
    append(lake.snapshot(BY_MONTH), "second")
    names = ["first", "second"]
    for way in WAYS:
        proxy.fault = Fault(late=True, concerns=concerns, times=1)
        way(lake.snapshot(BY_MONTH), way.__name__)
        assert proxy.fault.times == 0, "no answer was lost"
        names.append(way.__name__)
        snapshot = lake.snapshot(BY_MONTH)
        assert sorted(snapshot.read()["visitor"]) == sorted(names)
        assert snapshot.transactions(names[2:]) == dict.fromkeys(names[2:], 1)


@pytest.mark.slow
def test_a_staged_file_whose_entry_is_there_twice_is_added_once(
    server: Server, bucket: str, proxy: Proxy
) -> None:
    """The staged files' own log has nothing by which its writer is refused."""
    lake = Lake(f"s3://{bucket}/lake", server.environment(proxy.endpoint))
    append(lake.snapshot(BY_MONTH), "first")
    proxy.fault = Fault(late=True, concerns=is_second_entry_of_staged, times=1)
    stage(lake.snapshot(BY_MONTH), "staged")
    assert proxy.fault.times == 0, "no answer was lost"
    assert sorted(lake.snapshot(BY_MONTH).read()["visitor"]) == ["first", "staged"]
    added = lake.files(BY_MONTH).read(f"{LOG}/{2:020}.json")
    assert added.count(b'"add":') == 1


def test_a_landed_object_whose_connection_breaks_is_not_refused(
    server: Server, bucket: str, proxy: Proxy
) -> None:
    """The next run reads it: nothing is wrong with the file."""
    landing = object_store(
        f"s3://{bucket}/landed", server.environment(proxy.endpoint) | {"AWS_TIMEOUT": "5s"}
    )
    landing.write("customers/2024-01-01.csv", b"customer_id\n" + b"C1\n" * 100_000)
    (file,) = list_landing(landing, "customers")
    proxy.fault = Fault(403, "AccessDenied")
    with pytest.raises(StoreError, match="permission was denied"):
        read_file(file)
    proxy.fault = None
    assert read_file(file).data.count(b"\n") == 100_001


BROKEN: dict[str, Callable[[Server, str], dict[str, str]]] = {
    "there is no such bucket": lambda server, _: {"BRIDGE_CART_LAKE": "s3://never-made/lake"},
    "cannot be reached": lambda _, bucket: {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"},
    "no such bucket": lambda server, _: {"BRIDGE_CART_LANDING": "s3://never-made/landed"},
}


@pytest.mark.parametrize("word", BROKEN)
@pytest.mark.parametrize("verb", ["run", pytest.param("status", marks=pytest.mark.slow)])
def test_the_command_says_what_is_wrong_in_two_lines(
    server: Server, bucket: str, tmp_path: Path, command: Command, word: str, verb: str
) -> None:
    stored = StoredShop(tmp_path, bucket, server)
    (tmp_path / "landing").mkdir()
    broken = command(verb, **stored.environment | BROKEN[word](server, bucket))
    assert broken.returncode == 1
    assert word in broken.stderr
    assert len(broken.stderr.splitlines()) <= 2
    assert where_the_secret_stands(tmp_path, [broken.stdout, broken.stderr]) == []


@pytest.mark.engines
@pytest.mark.parametrize("fault", [DENIED, FULL], ids=["denied", "full"])
def test_a_run_that_a_store_stops_says_so_and_the_next_one_does_the_rest(
    server: Server,
    bucket: str,
    tmp_path: Path,
    command: Command,
    process: Command,
    proxy: Proxy,
    fault: Fault,
) -> None:
    stored = StoredShop(tmp_path, bucket, server, endpoint=proxy.endpoint)
    stored.land(6)
    for after in (30, 120, 400):
        proxy.fault = replace(fault, concerns=behind(after, fault.concerns))
        stopped = command("run", **stored.environment)
        assert stopped.returncode == 1, stopped.stderr
        assert "permission was denied" in stopped.stderr or "store is full" in stopped.stderr
        assert len([ln for ln in stopped.stderr.splitlines() if "error:" in ln]) == 1
        assert where_the_secret_stands(tmp_path, [stopped.stdout, stopped.stderr]) == []
    proxy.fault = replace(fault, concerns=behind(30, fault.concerns))
    traced = process("--debug", "run", **stored.environment)
    assert (traced.returncode, "Traceback" in traced.stderr) == (1, True)
    assert where_the_secret_stands(tmp_path, [traced.stdout, traced.stderr]) == []
    proxy.fault = None
    done = command("run", **stored.environment)
    assert done.returncode == 0, done.stderr
    assert stored.without_doubles() == []


def behind(count: int, concerns: Callable[[str, str], bool]) -> Callable[[str, str], bool]:
    """Of the requests that are concerned all but the first ones."""
    numbers = itertools.count()
    return lambda method, path: next(numbers) >= count and concerns(method, path)


def test_words_are_for_stores_only() -> None:
    assert store_problem("503 of my orders timed out") is None
    assert store_problem(ValueError("permission denied: 403")) is None


def test_no_secret_in_what_python_shows(lake: Lake, proxy: Proxy) -> None:
    assert SECRET in dict(lake.options).values()
    assert SECRET not in repr(lake)
    assert SECRET not in repr(object_store(lake.root, lake.options))
