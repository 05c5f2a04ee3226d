"""Dagster's webserver, as it is started here, is asked by its own pages only."""

import sys
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from starlette.websockets import WebSocketDisconnect

from bridge_cart_assets import webserver
from bridge_cart_assets.webserver import OwnPagesOnly

HOST = "http://127.0.0.1:3000"
QUERY = "{ version }"
DELETION = 'mutation { deleteRun(runId: "x") { __typename } }'
HIDDEN = f"query Q {{ version }} {DELETION}"


@pytest.fixture(scope="module")
def dagster_app() -> Iterator[ASGIApp]:
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        yield create_app_from_workspace_process_context(context)


@pytest.fixture
def ui(dagster_app: ASGIApp) -> TestClient:
    return TestClient(OwnPagesOnly(dagster_app, ("shop.example",)), base_url=HOST)


@pytest.mark.xfail(strict=True, reason="bridge_cart_assets/webserver.py refuses it")
def test_dagster_refuses_a_mutation_by_get_by_itself(dagster_app: ASGIApp) -> None:
    there = TestClient(dagster_app, base_url="http://elsewhere.example")
    answer = there.get("/graphql", params={"query": DELETION})
    assert answer.status_code != 200 or not answer.json()["data"]


@pytest.mark.parametrize("query", [DELETION, HIDDEN, "subscription { x }", f"# \n{DELETION}"])
def test_no_mutation_by_get(ui: TestClient, query: str) -> None:
    answer = ui.get("/graphql", params={"query": query})
    assert answer.status_code == 405


def test_its_own_pages_ask_as_before(ui: TestClient) -> None:
    own = {"Origin": HOST, "Sec-Fetch-Site": "same-origin"}
    assert "version" in ui.get("/graphql", params={"query": QUERY}).json()["data"]
    answer = ui.post("/graphql", json={"query": DELETION}, headers=own)
    assert answer.json()["data"]["deleteRun"]["__typename"] == "RunNotFoundError"
    assert ui.get("/server_info").status_code == 200
    assert ui.get("/runs", headers={"Sec-Fetch-Site": "none"}).status_code == 200
    # What is no browser has neither header: curl, Dagster's own client.
    assert "version" in ui.post("/graphql", json={"query": QUERY}).json()["data"]


@pytest.mark.parametrize("host", ["localhost:3000", "[::1]:3000", "127.0.0.1", "shop.example"])
def test_its_own_hosts_are_answered(ui: TestClient, host: str) -> None:
    assert ui.get("/server_info", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "", "a@b"])
def test_any_other_host_is_refused(ui: TestClient, host: str) -> None:
    """A name of somebody else that points to this machine (DNS rebinding)."""
    for answer in (
        ui.get("/server_info", headers={"Host": host}),
        ui.post("/graphql", json={"query": DELETION}, headers={"Host": host}),
    ):
        assert answer.status_code == 400
        assert "BRIDGE_CART_DAGSTER_HOSTS" in answer.text


def test_of_two_hosts_neither_is_believed(ui: TestClient) -> None:
    hosts = [("Host", "127.0.0.1:3000"), ("Host", "elsewhere.example")]
    assert ui.get("/server_info", headers=hosts).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        # Another port is another program.
        {"Origin": "http://127.0.0.1:3001"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": HOST},
    ],
)
def test_nothing_is_answered_to_other_pages(ui: TestClient, headers: dict[str, str]) -> None:
    form: dict[str, Any] = {"content": "x", "params": {"query": DELETION}}
    assert ui.post("/graphql", **form, headers=headers).status_code == 403
    assert ui.post("/graphql", json={"query": QUERY}, headers=headers).status_code == 403
    assert ui.post("/report_asset_check/x", json={}, headers=headers).status_code == 403
    assert ui.get("/graphql", params={"query": QUERY}, headers=headers).status_code == 403


def test_a_link_from_elsewhere_opens_a_page_and_no_frame(ui: TestClient) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    page = ui.get("/runs", headers={**link, "Sec-Fetch-Dest": "document"})
    assert page.status_code == 200
    assert page.headers["x-frame-options"] == "DENY"
    assert ui.get("/runs", headers={**link, "Sec-Fetch-Dest": "iframe"}).status_code == 403
    by_link = {**link, "Sec-Fetch-Dest": "document"}
    answer = ui.get("/graphql", params={"query": DELETION}, headers=by_link)
    assert answer.status_code == 405


def test_subscriptions_of_its_own_pages(ui: TestClient) -> None:
    here = {"Host": "127.0.0.1:3000"}
    for headers in ({**here, "Origin": HOST}, here):
        with ui.websocket_connect("/graphql", ["graphql-ws"], headers=headers) as socket:
            socket.send_json({"type": "connection_init"})
            assert socket.receive_json() == {"type": "connection_ack"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "127.0.0.1:3000", "Origin": "http://elsewhere.example"},
        {"Host": "elsewhere.example"},
    ],
)
def test_subscriptions_of_other_pages_are_refused(ui: TestClient, headers: dict[str, str]) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        ui.websocket_connect("/graphql", ["graphql-ws"], headers=headers),
    ):
        pass


def test_the_option_for_the_address_admits_it() -> None:
    given = webserver.options_with_values(["x", "--host=::", "-h", "shop.example", "--port", "3"])
    assert ("--host", "::") in given
    assert ("-h", "shop.example") in given


def test_dagsters_own_command_serves_it_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_webserver import cli

    served: list[object] = []
    create = "create_app_from_workspace_process_context"
    monkeypatch.setattr(cli, create, lambda context: f"app of {context}")
    monkeypatch.setattr(cli, "main", lambda: served.append(vars(cli)[create]("x")))
    monkeypatch.setattr(sys, "argv", ["x", "--host", "bound.example"])
    webserver.run_webserver(["shop.example"])
    [app] = served
    assert isinstance(app, OwnPagesOnly)
    assert vars(app)["app"] == "app of x"
    assert all(name in app.hosts for name in ("shop.example", "bound.example"))
    assert "elsewhere.example" not in app.hosts


def test_dagster_dev_starts_this_webserver(monkeypatch: pytest.MonkeyPatch) -> None:
    import dagster._cli
    from dagster._cli import dev

    started: list[list[str]] = []
    monkeypatch.setattr(dev, "open_ipc_subprocess", lambda parts, **_: started.append(parts))

    def main() -> None:
        start = vars(dev)["open_ipc_subprocess"]
        start(["python", "-m", "dagster_webserver", "--port", "1"])
        start(["python", "-m", "dagster._daemon", "run"])

    monkeypatch.setattr(dagster._cli, "main", main)
    webserver.run_dev()
    assert started == [
        ["python", "-m", "bridge_cart_assets.webserver", "--port", "1"],
        ["python", "-m", "dagster._daemon", "run"],
    ]
