"""What is answered, to whom, and with which promises to the browser."""

import re

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from bridge_cart_assets.reports.security import Guard

EVERYWHERE = "0.0.0.0"  # noqa: S104 - a setting, nothing listens
PATHS = ["/", "/healthz", "/export/kpis_daily.csv", "/nowhere", "/export/no.csv", "/static/no.js"]


def answers(host: str, *names: str) -> bool:
    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("here"))])
    client = TestClient(Guard(app, hosts=names), base_url="http://localhost")
    response: httpx2.Response = client.get("/", headers={"Host": host})
    assert response.status_code in {200, 400}
    assert (response.text == "here") == (response.status_code == 200)
    return response.status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:5010", "LOCALHOST", "127.0.0.1:80", "[::1]:5010", "[::1]"]
)
def test_loopback_names_are_answered(host: str) -> None:
    assert answers(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:5010",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example@localhost",
        "localhost@evil.example",
        "localhost/evil",
        "evil.example#localhost",
        "192.168.0.7",
        "[::1",
        "",
    ],
)
def test_other_names_are_refused(host: str) -> None:
    assert not answers(host)


def test_the_configured_host_is_answered_too() -> None:
    assert answers("shop.internal:5010", "Shop.Internal")
    assert answers("[fd00::7]:5010", "fd00::7")
    assert not answers("other.internal", "shop.internal")


def test_on_every_address_any_address_but_no_other_name_is_answered() -> None:
    assert answers("192.168.0.7:5010", EVERYWHERE)
    assert answers("[fd00::7]", "::")
    assert answers("localhost", EVERYWHERE)
    assert not answers("evil.example", EVERYWHERE)


def test_a_refusal_says_what_to_do(client: TestClient) -> None:
    response = client.get("/", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert "BRIDGE_CART_REPORT_HOST" in response.text
    assert "content-security-policy" in response.headers


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_a_policy_without_inline_code(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "form-action 'self'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-cache" if path == "/" else "no-store")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/export/kpis_daily.csv", "/static/report.css"])
def test_nothing_but_get_is_served(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 405


@pytest.mark.parametrize("path", ["/", "/nowhere"])
def test_a_page_has_no_inline_code_and_no_address_outside(client: TestClient, path: str) -> None:
    html = client.get(path).text
    assert not re.search(r"https?:|//\w|url\(", html)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    scripts = re.findall(r"<script([^>]*)>", html)
    assert all('src="/static/' in tag or 'type="application/json"' in tag for tag in scripts)


def test_own_files_and_plotly_are_served_for_long_under_their_version(
    client: TestClient, html: str
) -> None:
    urls = re.findall(r'"(/static/[^"]+)"', html)
    names = {url.split("?")[0].removeprefix("/static/") for url in urls}
    assert names == {"icon.svg", "plotly.min.js", "report.css", "report.js"}
    for url in urls:
        response = client.get(url)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        unversioned = client.get(url.split("?")[0])
        assert unversioned.headers["cache-control"] == "no-cache"
    script = client.get("/static/plotly.min.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "plotly.js v" in script.text[:100]


@pytest.mark.parametrize(
    "name", ["", "no.js", "..%2Fapp.py", "%2e%2e/app.py", "templates/base.html", "report.py"]
)
def test_no_other_file_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_an_unknown_address_leads_back_to_the_overview(client: TestClient) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert '<a href="/">' in response.text
