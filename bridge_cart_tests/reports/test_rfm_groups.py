"""RFM groups on the pages: their figures are what SQL says, and a group leads to its customers."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.transforms.rfm_groups import GROUPS, TRIPLES
from bridge_cart_tests.reports.catalogues import shop, write_catalogue
from bridge_cart_tests.reports.conftest import browse
from bridge_cart_tests.reports.markup import Markup, text, values
from bridge_cart_tests.reports.shop_customers import people, tables

JULY = date(2024, 7, 31)
MOVES = {("NEW", "ACTIVE"): 3, ("NEW", "NEW"): 5, ("AT_RISK", "LOYAL"): 4, ("NO_SALE", "NEW"): 2}
SQL = """
    SELECT count(*), count(*) / (SELECT count(*) FROM gold.customer_rfm), sum(f.revenue),
           sum(f.revenue) / (SELECT sum(revenue) FROM gold.customer_features),
           sum(r.net_revenue), median(r.recency_days)
    FROM gold.customer_rfm r JOIN gold.customer_features f USING (customer_id)
    WHERE rfm_group = $1
"""


def gold() -> dict[str, Any]:
    """Twenty customers, of whom none is new."""
    rows = people()
    triples = [triple for triple, group in TRIPLES.items() if group != "NEW"]
    scored = [
        {
            **row,
            "r_score": r,
            "f_score": f,
            "m_score": m,
            "rfm_group": TRIPLES[r, f, m],
            "model_version": 1,
        }
        for n, row in enumerate(rows)
        for r, f, m in [triples[6 * n]]
    ]
    moves = [
        {"period_end": JULY, "from_group": start, "to_group": end, "customers": count}
        for (start, end), count in MOVES.items()
    ]
    months = [
        {"period_end": JULY, "from_segment_id": 0, "to_segment_id": 1, "customers": 1},
    ]
    return {
        **shop(days=120, segments=(1, 2)),
        **tables(rows),
        "segment_migration": months,
        "customer_rfm": scored,
        "rfm_migration": moves,
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalogue(tmp_path_factory.mktemp("rfm") / "c.duckdb", gold())


@pytest.fixture(scope="module")
def client(path: Path) -> TestClient:
    return browse(path)


def opened(client: TestClient, address: str) -> Markup:
    response = client.get(address)
    assert response.status_code == 200
    return Markup(response.text)


def rows(page: Markup, name: str) -> Iterator[tuple[str, list[str | None], str]]:
    """Of each row of a table its name, its figures, and where it leads."""
    for row in page[f"{name}-table"].findall("tbody/tr"):
        link = row.find("th/a")
        name_of_row = row.find("th")
        assert name_of_row is not None
        yield text(name_of_row), values(row), "" if link is None else link.get("href", "")


def test_all_ten_groups_have_the_figures_of_sql(client: TestClient, path: Path) -> None:
    found = list(rows(opened(client, "/segments"), "rfm"))
    assert [name for name, _, _ in found] == [group.label for group in GROUPS.values()]
    with duckdb.connect(str(path), read_only=True) as connection:
        for group, (_, figures, _) in zip(GROUPS, found, strict=True):
            expected = connection.execute(SQL, [group]).fetchall()[0]
            if group == "NEW":
                assert figures == ["0", "0.0", None, "0.0", None, None]
            else:
                assert [float(value or "nan") for value in figures] == pytest.approx(
                    [float(value) for value in expected], abs=1e-9
                )


def test_the_filters_reach_the_groups(client: TestClient) -> None:
    everybody = [row[1] for row in rows(opened(client, "/segments"), "rfm")]
    some = [row[1] for row in rows(opened(client, "/segments?country=FR&segment=1"), "rfm")]
    counted = [sum(int(row[0] or 0) for row in of) for of in (everybody, some)]
    with_both = [p for p in people() if p["country"] == "FR" and p["segment_id"] == 1]
    assert counted == [20, len(with_both)]


def test_a_group_leads_to_its_customers_with_most_money_first(client: TestClient) -> None:
    href = next(row[2] for row in rows(opened(client, "/segments"), "rfm") if row[0] == "Dormant")
    page = opened(client, href.partition("#")[0])
    assert page[href.partition("#")[2]] is not None
    listed = list(rows(page, "rfm_customers"))
    expected = sorted(
        (one for one in gold()["customer_rfm"] if one["rfm_group"] == "DORMANT"),
        key=lambda one: (-one["net_revenue"], one["customer_id"]),
    )
    assert expected
    assert [row[0] for row in listed] == [one["customer_id"] for one in expected]
    names = ("r_score", "f_score", "m_score", "recency_days", "orders", "net_revenue")
    for (_, figures, address), one in zip(listed, expected, strict=True):
        assert [Decimal(value or "nan") for value in figures] == [one[name] for name in names]
        assert address == f"/customers/{one['customer_id']}"
    assert GROUPS["DORMANT"].meaning in text(page.root)


def test_an_empty_group_says_so_and_an_unknown_one_changes_nothing(client: TestClient) -> None:
    empty = opened(client, "/segments?rfm=NEW")
    assert "No customer of this group is in the filter." in text(empty.root)
    unknown = opened(client, "/segments?rfm=BEST")
    assert "RFM group “BEST” is not known" in text(unknown.root)
    assert "Customers in the group Champions" in text(unknown.root)


def test_moves_are_those_of_the_month_with_those_who_stayed_in_the_share(
    client: TestClient,
) -> None:
    page = opened(client, "/segments")
    found = {(row[0], tuple(row[1])) for row in rows(page, "rfm_migration")}
    assert found == {
        ("At risk", ("4", "1.0")),
        ("New", ("3", "0.375")),
        ("New customers", ("2", "1.0")),
    }
    said = "2024-07: 7 of 12 customers changed their group; 2 customers bought for the first time."
    assert said in text(page.root)


@pytest.mark.parametrize("name", ["rfm", "rfm_customers", "rfm_migration"])
def test_each_table_is_a_csv(client: TestClient, name: str) -> None:
    page = opened(client, "/segments")
    exported = client.get(f"/export/segments/{name}.csv")
    assert exported.status_code == 200
    lines = list(csv.DictReader(io.StringIO(exported.text)))
    assert len(lines) == len(page[f"{name}-table"].findall("tbody/tr")) > 0


def test_the_gold_table_is_a_csv(client: TestClient) -> None:
    exported = client.get("/export/customer_rfm.csv")
    lines = list(csv.DictReader(io.StringIO(exported.text)))
    assert [line["rfm_group"] for line in lines] == [
        one["rfm_group"] for one in sorted(gold()["customer_rfm"], key=lambda c: c["customer_id"])
    ]


def test_the_page_of_a_customer_has_the_group_and_the_scores(client: TestClient) -> None:
    one = gold()["customer_rfm"][3]
    page = opened(client, f"/customers/{one['customer_id']}")
    said = text(page["rfm"])
    assert said.startswith(f"RFM group {GROUPS[one['rfm_group']].label} (recency {one['r_score']}")
    assert f"orders {one['f_score']}, money {one['m_score']} of 5" in said


def test_before_the_first_cut_points_nothing_is_said_of_a_group(tmp_path: Path) -> None:
    without = {**gold(), "customer_rfm": (), "rfm_migration": ()}
    client = browse(write_catalogue(tmp_path / "c.duckdb", without))
    said = text(opened(client, "/segments").root)
    assert "No RFM groups yet" in said
    assert "No month has ended since the first sale" in said
    assert opened(client, "/customers/C004").all(".//p[@id='rfm']") == []
