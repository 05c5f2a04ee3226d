"""Whatever is asked for in an address: a page, a refusal or nothing, and no markup of the asker."""

from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from bridge_cart_assets.assets.run_metadata import run_metadata
from bridge_cart_assets.lake.catalogue import build_catalogue
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.reports.filters import FILTERS, PERIODS
from bridge_cart_assets.reports.pages import PAGES
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import TABLES as GOLD
from bridge_cart_assets.tables.ops import TABLES as OPS
from bridge_cart_assets.tables.silver import TABLES as SILVER
from bridge_cart_tests.faults.extent import EXAMPLES
from bridge_cart_tests.releases.make import unpack
from bridge_cart_tests.reports.conftest import browse

BOUNDED = {"deadline": None, "suppress_health_check": list(HealthCheck)}
# A tag and an attribute that no page has.
TAG, ATTRIBUTE = "x9q", "x9a"
MARKUP = (
    f"<{TAG}>",
    f'"><{TAG}>',
    f"</script><{TAG}>",
    f"</title></textarea><{TAG}>",
    f'" {ATTRIBUTE}="',
    f"' {ATTRIBUTE}='",
    f" {ATTRIBUTE}=1 ",
    f"{{{{7*7}}}}<{TAG} {ATTRIBUTE}>",
    f"javascript:{TAG}//",
)
ODD = (
    *(
        "",
        " ",
        "\0",
        "\u200f",
        "\ufeff",
        "a" * 3000,
        "%",
        "%00",
        "../../etc/passwd",
        "null",
        "-1",
        "0",
    ),
    *("1e999", "NaN", "9" * 60, "2024-02-30", "0001-01-01", "9999-12-31", "' OR 1=1 --", "C1", "∞"),
    *("SELECT", "$segment", "?", "&", "=", ";", "asc", "desc", "true", "Books", "United Kingdom"),
)
NAMES = sorted({*FILTERS, *(p.name for page in PAGES for p in page.parameters), "v", "format"})
KNOWN = sorted({*PERIODS, *(o.value for page in PAGES for p in page.parameters for o in p.options)})
TEXTS = st.one_of(
    st.sampled_from((*MARKUP, *ODD, *KNOWN)), st.integers().map(str), st.text(max_size=30)
)
SHEETS = (
    "/export/overview/segments.csv",
    "/export/segments/history.csv",
    "/export/retention/cohorts.csv",
    "/export/customers/found.csv",
    "/export/customer/orders.csv",
    "/export/explore/sold.csv",
    "/export/pipeline/tables.csv",
)
PLACES = st.one_of(
    st.sampled_from([page.path for page in PAGES if "{" not in page.path]),
    st.sampled_from(["/healthz", "/static/none.js", "/nowhere"]),
    st.builds("/export/{}.csv".format, st.one_of(st.sampled_from([t.name for t in GOLD]), TEXTS)),
    st.builds("/customers/{}".format, st.one_of(st.sampled_from(["C1", "17850"]), TEXTS)),
    st.builds("/export/{}/{}.csv".format, st.sampled_from([page.name for page in PAGES]), TEXTS),
    st.sampled_from(SHEETS),
    st.builds("/{}".format, TEXTS),
)
QUERIES = st.one_of(
    st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), TEXTS), TEXTS), max_size=6).map(
        lambda pairs: urlencode([(_sendable(n), _sendable(v)) for n, v in pairs])
    ),
    # Not what a form sends.
    st.binary(max_size=40).map(lambda data: quote(data, safe="&=;+%")),
)


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


class Found(HTMLParser):
    """Tags and attributes of a page that nobody but the asker can have put there."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.foreign: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [tag, *(name for name, _ in attrs)]
        self.foreign += [n for n in names if TAG in n or ATTRIBUTE in n]
        links = [v or "" for name, v in attrs if name in ("href", "src", "action")]
        self.foreign += [v for v in links if v.lower().startswith("javascript:")]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """All pages over a small shop with everything that a run leaves."""
    data = tmp_path_factory.mktemp("fuzzed") / "data"
    unpack("0.2-persons", data)
    lake, catalogue = Lake(str(data / "lake")), data / "bridge_cart.duckdb"
    raw = [source.raw for source in SOURCES]
    now = datetime.now(UTC)
    metadata = run_metadata(
        lake, dg.DagsterInstance.ephemeral(), "run", now, (*raw, *SILVER, *GOLD_TABLES)
    )
    build_catalogue(
        *(catalogue, lake, (*GOLD_TABLES, *OPS), SILVER, raw, "run", now), run_metadata=metadata
    )
    with browse(catalogue) as client:
        yield client


def check_answer(client: TestClient, place: str, query: str) -> None:
    path = quote(_sendable(place), safe="/")
    answer = client.get(f"{path}?{query}", follow_redirects=False)
    assert answer.status_code in (200, 304, 307, 400, 404), (path, query, answer.text[:500])
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert Found(answer.text).foreign == [], (path, query)


def test_the_pages_are_there(pages: TestClient) -> None:
    for place in ("/", "/customers", "/customers/C1", "/segments", "/retention", "/explore"):
        answer = pages.get(place)
        assert answer.status_code == 200, place
        assert len(answer.text) > 5000, place


def test_what_would_be_found_is_found() -> None:
    assert Found(f'<p>{MARKUP[1]}</p><a href="javascript:1">').foreign == [TAG, "javascript:1"]
    assert Found(f'<input value="{MARKUP[4]}">').foreign == [ATTRIBUTE]


@settings(max_examples=20, **BOUNDED)  # type: ignore[arg-type]
@given(place=PLACES, query=QUERIES)
def test_any_address_is_answered(pages: TestClient, place: str, query: str) -> None:
    check_answer(pages, place, query)


@pytest.mark.long
@settings(max_examples=max(300, 30 * EXAMPLES), **BOUNDED)  # type: ignore[arg-type]
@given(place=PLACES, query=QUERIES)
def test_many_more_addresses_are_answered(pages: TestClient, place: str, query: str) -> None:
    check_answer(pages, place, query)
