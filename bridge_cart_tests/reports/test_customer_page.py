"""The page of one customer: what gold and silver say, and nothing else of the machine's files."""

import csv
import io
import os
import shlex
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from starlette.testclient import TestClient

from bridge_cart_assets.reports.customer.queries import State
from bridge_cart_assets.reports.customer.timeline import timeline
from bridge_cart_tests.reports.catalogues import AS_OF, Row, open_catalogue, write_catalogue
from bridge_cart_tests.reports.conftest import browse
from bridge_cart_tests.reports.markup import Markup, first_of, text, values
from bridge_cart_tests.reports.shop_customers import (
    NOT_FITTED,
    add_ids,
    add_orders,
    line,
    people,
    person,
    unpredicted,
    write_customers,
)


def lines() -> list[Row]:
    """Three orders of C001, one with a refund, one not seen by gold yet; one of somebody else."""
    early = AS_OF - timedelta(days=90)
    return [
        line("C001", "O1", 1, "10.00", day=early, product_category="Home"),
        line("C001", "O1", 2, "5.50", day=early),
        line("C001", "O1", 3, "-2.00", day=early, kind="refund"),
        line("C001", "O2", 1, "7.25"),
        line("C001", "O2", 1, "1.00", source="other"),
        line("C001", "O3", 1, "99.00", day=AS_OF + timedelta(days=1)),
        line("C002", "O4", 1, "42.00"),
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("customer")
    path = write_customers(folder)
    add_orders(path, folder, lines())
    seen_on = {"first_seen": AS_OF - timedelta(days=90), "email_key": "0f" * 16}
    add_ids(
        path,
        folder,
        [
            {**seen_on, "identity": name, "person_id": "C001", "reason": why, "address_of": place}
            for name, why, place in (
                ("guest-0f", "email", "order"),
                ("C900", "email", "profile"),
                ("C901", "email", "order"),
                ("C001", "own", "profile"),
            )
        ],
    )
    return path


@pytest.fixture(scope="module")
def client(shop: Path) -> TestClient:
    return browse(shop)


def seen(client: TestClient, customer_id: str = "C001") -> Markup:
    response = client.get(f"/customers/{quote(customer_id, safe='')}")
    assert response.status_code == 200
    return Markup(response.text)


def figures(page: Markup, sheet: str) -> dict[str, str | None]:
    rows = page[f"{sheet}-table"].findall("tbody/tr")
    return {
        text(first_of(row, "th")): (values(row) or [text(first_of(row, "td"))])[-1] for row in rows
    }


def cells(page: Markup, sheet: str) -> list[list[str]]:
    return [[text(cell) for cell in row] for row in page[f"{sheet}-table"].findall("tbody/tr")]


def exported(client: TestClient, address: str) -> list[dict[str, str]]:
    response = client.get(address)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.text)))


def test_the_figures_are_those_of_gold(client: TestClient, shop: Path) -> None:
    with duckdb.connect(str(shop), read_only=True) as connection:
        for sheet, table in (("done", "customer_features"), ("expected", "customer_value")):
            rows = exported(client, f"/export/customer/{sheet}.csv?customer_id=C001")
            for row in rows:
                if row["figure"] == "age":
                    continue
                expected = connection.execute(
                    f"SELECT {row['figure']} FROM gold.{table} WHERE customer_id = 'C001'"
                ).fetchone()
                assert expected is not None
                assert row["value"] == ("" if expected[0] is None else str(expected[0]))
            assert len(rows) >= 11


def test_the_page_names_segment_state_and_what_to_do(client: TestClient) -> None:
    page = seen(client)
    assert text(page["standing"]) == "Growth · Active, bought last 40 days ago"
    assert text(page["summary"]) == "Growth: Who they are, 2.What to do: What to do, 2."
    (card,) = page.all(".//section[@aria-labelledby='customer-title']")
    assert "seg-2" in card.get("class", "")


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        ("0.00", "0.00", "spend nothing."),
        ("0.00", "1234.50", "spend at most 1.23k."),
        ("12.00", "81.37", "spend between 12 and 81.4."),
    ],
)
def test_a_range_is_in_words_that_a_reader_understands(
    tmp_path: Path, low: str, high: str, said: str
) -> None:
    names = ("predicted_spend_90d", "predicted_spend_90d_low", "predicted_spend_90d_high")
    own = dict(zip(names, (Decimal("40.00"), Decimal(low), Decimal(high)), strict=True))
    page = seen(browse(write_customers(tmp_path, [person(1, **own)])))
    assert text(page["spend"]) == f"In the next 90 days four of five customers like this one {said}"
    rows = {row[0]: row[1] for row in cells(page, "expected")}
    assert rows["Expected in 90 days"] == "40.00"


def test_without_an_interval_there_is_no_sentence_about_one(client: TestClient) -> None:
    assert not seen(client).all(".//p[@id='spend']")


def test_the_headlines_say_the_band_in_words(client: TestClient) -> None:
    page = seen(client)
    cards = [text(card) for card in page.all(".//li[@class='card kpi']")]
    assert cards == [
        "Worth so far 900 net revenue",
        "Expected, 365 days 300 predicted value",
        "Orders 3 since 2024-01-10",
        "Average order 10.1 every 13 days, typically",
        "Orders, 90 days 0.40 expected",
        "Stays away, 90 days 60.0% may stay away",
    ]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"age": 40.5}, "41"),
        ({"age": 33.0, "age_imputed": True}, "33, filled in"),
        ({"age": None}, "none: the profile has no age"),
    ],
)
def test_an_age_is_rounded_and_a_filled_one_says_so(
    tmp_path: Path, own: dict[str, object], said: str
) -> None:
    page = seen(browse(write_customers(tmp_path, [person(1, **own)])))
    assert said in {row[0]: row[1] for row in cells(page, "done")}["Age"]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"recency_days": 90}, "Lapsed, bought last 90 days ago"),
        ({"recency_days": 0, "tenure_days": 29}, "New, bought last on the latest day"),
        ({"recency_days": 1, "tenure_days": 30}, "Active, bought last 1 day ago"),
    ],
)
def test_the_state_is_that_of_the_lifecycle(
    tmp_path: Path, own: dict[str, object], said: str
) -> None:
    page = seen(browse(write_customers(tmp_path, [person(1, **own)])))
    assert text(page["standing"]).endswith(said)


def test_orders_are_the_lines_of_silver_up_to_the_latest_day(client: TestClient) -> None:
    assert cells(seen(client), "orders") == [
        ["2024-06-18", "O2", "sale", "1", "1.00", "Toys", "other"],
        ["2024-06-18", "O2", "sale", "1", "7.25", "Toys", "purchases"],
        ["2024-04-29", "O1", "refund", "1", "−2.00", "Toys", "purchases"],
        ["2024-04-29", "O1", "sale", "2", "15.50", "Home, Toys", "purchases"],
    ]


def test_orders_are_exported_with_the_id_of_the_customer(client: TestClient) -> None:
    rows = exported(client, "/export/customer/orders.csv?customer_id=C002")
    assert [(row["order_id"], row["net_amount"]) for row in rows] == [("O4", "42.00")]
    (link,) = [a for a in seen(client).all(".//a") if "orders.csv" in a.get("href", "")]
    assert link.get("href") == "/export/customer/orders.csv?customer_id=C001"


def test_a_hundred_orders_are_shown_and_the_csv_has_all(tmp_path: Path) -> None:
    path = write_customers(tmp_path)
    add_orders(path, tmp_path, [line("C001", f"O{n:03}", 1, "1.00") for n in range(130)])
    client = browse(path)
    page = seen(client)
    assert len(cells(page, "orders")) == 100
    assert "The latest 100 of 130; the CSV has all of them." in text(page["main"])
    assert len(exported(client, "/export/customer/orders.csv?customer_id=C001")) == 130


def test_the_ids_of_a_customer_are_listed_with_the_reason(client: TestClient) -> None:
    first = f"{AS_OF - timedelta(days=90)}"
    assert cells(seen(client), "ids") == [
        ["C001", "the customer’s own id", first],
        ["C900", "account with the same e-mail address, on its profile", first],
        ["C901", "account with the same e-mail address, on its latest order with one", first],
        ["guest-0f", "guest with the e-mail address of this customer", first],
    ]


def test_a_search_for_an_id_of_another_customer_finds_that_customer(client: TestClient) -> None:
    page = Markup(client.get("/customers?id=C900").text)
    answer = "The id “C900” is one of the customer “C001”: both have one e-mail address."
    assert text(page["search-answer"]).startswith(answer)
    (row,) = page["found-table"].findall("tbody/tr")
    assert text(first_of(row, "th")) == "C001"


def test_an_id_of_another_customer_says_whose_it_is(client: TestClient) -> None:
    response = client.get("/customers/C900")
    assert response.status_code == 404
    assert "is one of the customer" in response.text
    assert "C001" in response.text


def test_a_customer_without_an_order_in_silver_is_said(client: TestClient) -> None:
    assert "No order of this customer is in silver." in text(seen(client, "C009")["main"])


def test_without_a_view_on_orders_the_page_says_how_to_ask(tmp_path: Path) -> None:
    page = seen(browse(write_customers(tmp_path)))
    assert "Orders are not available here. The catalogue of a lake in an object store" in text(
        page["no-orders"]
    )
    assert "bridge-cart sql" in text(page["main"])


def test_when_the_files_have_moved_the_rest_of_the_page_is_there(tmp_path: Path) -> None:
    path = write_customers(tmp_path)
    file = add_orders(path, tmp_path, lines())
    file.unlink()
    page = seen(browse(path))
    assert "the lake has moved, or a newer run has tidied them up" in text(page["no-orders"])
    assert figures(page, "done")["Orders"] == "3"


def test_nothing_but_the_files_of_orders_can_be_read(tmp_path: Path) -> None:
    path = write_customers(tmp_path)
    file = add_orders(path, tmp_path, lines())
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    beside = file.with_name("other.parquet")
    os.link(file, beside)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE VIEW silver.customers AS SELECT * FROM read_csv(['{secret}'])")
    with open_catalogue(path) as catalogue:
        assert catalogue.ask(int, "SELECT count(*) FROM silver.purchases") == [7]
        for sql in (
            f"SELECT * FROM read_csv('{secret}')",
            f"SELECT * FROM read_parquet('{beside}')",
            "SELECT * FROM silver.customers",
            f"SET allowed_paths = ['{secret}']",
            "SET enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error, match=r"disabled|Cannot"):
                catalogue.connection.execute(sql).fetchall()


@pytest.mark.parametrize("named", ["/etc/passwd", "silver/purchases/*.parquet", "x/notes.txt"])
def test_a_view_on_anything_else_opens_nothing(tmp_path: Path, named: str) -> None:
    folder = tmp_path / "silver" / "purchases"
    path = write_customers(tmp_path)
    add_orders(path, tmp_path, lines())
    with duckdb.connect(str(path)) as connection:
        other = tmp_path / named
        if not other.is_absolute() or not other.exists():
            folder.mkdir(exist_ok=True)
            (tmp_path / "x").mkdir()
            (tmp_path / "x" / "notes.txt").write_text("a\n1\n")
            connection.execute(f"COPY (SELECT 1 AS a) TO '{folder}/one.parquet'")
        reader = "read_parquet" if named.endswith("parquet") else "read_csv"
        connection.execute(
            f"CREATE OR REPLACE VIEW silver.purchases AS SELECT * FROM {reader}(['{other}'])"
        )
    with open_catalogue(path) as catalogue, pytest.raises(duckdb.Error, match="disabled"):
        catalogue.connection.execute("SELECT * FROM silver.purchases").fetchall()
    page = seen(browse(path))
    assert "Orders are not available here." in text(page["no-orders"])


def test_the_history_is_a_table_and_a_strip(client: TestClient) -> None:
    page = seen(client)
    assert cells(page, "history") == [
        ["2024-01-11", "–none: the state of now", "Growth", "active", "other segment"],
        ["2024-01-10", "2024-01-11", "High-Value", "new", "first purchase"],
    ]
    titles = [text(title) for title in page.all(".//rect/title")]
    assert titles == [
        "High-Value: 2024-01-10 to 2024-01-10, 1 day",
        "Growth: 2024-01-11 to 2024-07-28, 200 days",
        "new: 2024-01-10 to 2024-01-10, 1 day",
        "active: 2024-01-11 to 2024-07-28, 200 days",
    ]


def test_a_timeline_is_filled_without_a_gap() -> None:
    days = [AS_OF - timedelta(days=back) for back in (400, 370, 310, 200, 9)]
    lives = ["new", "active", "active", "lapsed", "active"]
    states = [
        State(1 + i % 2, f"S{i % 2}", life, day, until, "")
        for i, (life, day, until) in enumerate(zip(lives, days, [*days[1:], None], strict=True))
    ]
    drawn = timeline(states, AS_OF)
    assert drawn is not None
    for strip in drawn.strips:
        ends = [float(part.x) + float(part.width) for part in strip.parts]
        assert [float(p.x) for p in strip.parts][1:] == pytest.approx(ends[:-1], abs=0.01)
        assert ends[-1] == pytest.approx(100, abs=0.01)
    assert [part.look for part in drawn.strips[1].parts] == [
        "life-new",
        "life-active",
        "life-lapsed",
        "life-active",
    ]
    assert len(drawn.marks) <= 6
    assert timeline([], AS_OF) is None


def test_before_the_first_segment_model_the_page_says_so(tmp_path: Path) -> None:
    page = seen(browse(write_customers(tmp_path, segmented=False)))
    assert "no segment yet" in text(page["summary"])
    assert "There is no history yet" in text(page["main"])


def test_without_predictions_every_missing_figure_says_why(tmp_path: Path) -> None:
    page = seen(browse(write_customers(tmp_path, unpredicted(people()))))
    assert NOT_FITTED in text(page["status"])
    assert figures(page, "expected")["Together"] is None
    assert "nothing is predicted of this customer" in text(page["expected-table"])


def test_a_simpler_model_is_named(tmp_path: Path) -> None:
    crowd = [person(1, model_status="fallback: no drop-out")]
    page = seen(browse(write_customers(tmp_path, crowd)))
    assert "simpler model, which says: fallback: no drop-out." in text(page["status"])


@pytest.mark.parametrize(
    "hostile", ["unknown", "<script>alert(1)</script>", "' OR 1=1 --", "x" * 3000, "a/b/c", "\0"]
)
def test_an_unknown_id_is_a_sentence(client: TestClient, hostile: str) -> None:
    response = client.get(f"/customers/{quote(hostile, safe='')}")
    assert response.status_code == 404
    assert "<script>alert" not in response.text
    assert "has bought anything." in text(Markup(response.text)["main"])
    assert len(response.text) < 10_000
    short = quote(hostile[:1500], safe="")
    address = f"/export/customer/orders.csv?customer_id={short}"
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("odd", ["a/b c?d#e", "x'; rm -rf $HOME #", '<i>"&amp;', " a", "\u202e€"])
def test_odd_ids_are_shown_exported_and_asked_for(tmp_path: Path, odd: str) -> None:
    path = write_customers(tmp_path, [person(1, customer_id=odd)])
    client = browse(path)
    page = seen(client, odd)
    assert "".join(page["customer-title"].itertext()) == odd
    command = "".join(page.all(".//pre[@class='command']/code")[0].itertext())
    program, verb, sql = shlex.split(command)
    assert (program, verb) == ("bridge-cart", "sql")
    assert sql.endswith("customer_id = '" + odd.replace("'", "''") + "'")
    (link,) = [a for a in page.all(".//a") if "done.csv" in a.get("href", "")]
    assert exported(client, link.get("href", ""))[2] == {"figure": "orders", "value": "3"}


def test_customers_is_marked_in_the_navigation(client: TestClient) -> None:
    (nav,) = seen(client).all(".//nav")
    marked = {text(a): a.get("aria-current") for a in nav.iter("a") if a.get("aria-current")}
    assert marked == {"Customers": "true"}


def test_filters_that_are_set_go_along_and_change_nothing(client: TestClient) -> None:
    response = client.get("/customers/C001?country=FR")
    page = Markup(response.text)
    assert "Country does not apply here: this page shows one customer." in text(page.root)
    (back,) = [a for a in page["main"].iter("a") if text(a) == "All customers"]
    assert back.get("href") == "/customers?country=FR"


def test_without_a_sale_there_is_no_customer(tmp_path: Path) -> None:
    client = browse(write_catalogue(tmp_path / "c.duckdb", {}, tables=()))
    assert "No sales yet" in client.get("/customers/C001").text
