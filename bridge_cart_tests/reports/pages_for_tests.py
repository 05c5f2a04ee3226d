"""Pages that only tests have: one for each form that a page may take."""

from datetime import date

from bridge_cart_assets.reports import charts
from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.reports.charts import Chart, Node, Series
from bridge_cart_assets.reports.filters import Option, PageQuery, Parameter
from bridge_cart_assets.reports.formatting import count, words
from bridge_cart_assets.reports.overview.page import OVERVIEW, Overview, overview
from bridge_cart_assets.reports.page import NotThereError, Page
from bridge_cart_assets.reports.tables import Column, Sheet

SORT = Parameter("sort", "Sort by", (Option("customers", "Customers"), Option("name", "Name")))
SEARCH = Parameter("q", "Search")


def countries(catalogue: Catalogue, asked: PageQuery) -> Overview | None:
    """Customers by country, in the place of the overview's first table and charts."""
    view = overview(catalogue, asked)
    if view is None:
        return None
    rows = catalogue.ask(
        lambda name, customers: (name, customers),
        """
        SELECT country, count(*) FROM gold.customer_features
        WHERE ($country IS NULL OR country = $country)
          AND ($category IS NULL OR top_category = $category)
        GROUP BY ALL ORDER BY 1
        """,
        {"country": asked.filters.country, "category": asked.filters.category},
    )
    names, values = [name for name, _ in rows], [n for _, n in rows]
    sheet = Sheet(
        "countries",
        "Customers by country",
        (
            Column("country", "Country", lambda row: words(row[0]), "text"),
            Column("customers", "Customers", lambda row: count(row[1])),
        ),
        rows,
        empty="No customer is in this filter: take one of its parts away.",
    )
    drawn = charts.hbars(names, [Series("Customers", values)], "count")
    chart = Chart(
        "Countries",
        "Customers",
        drawn if rows else None,
        "No customer to draw.",
        _named(sheet, "bars"),
    )
    grid = charts.heatmap(names, ["a", "b"], [[0.5, None] for _ in names], "percent")
    heat = Chart(
        "Grid", "Shares", grid if rows else None, "Nothing to draw.", _named(sheet, "grid")
    )
    return Overview(**{**vars(view), "segments": sheet, "churn": chart, "revenue": heat})


def _named(sheet: Sheet, name: str) -> Sheet:
    return Sheet(name, sheet.title, sheet.columns, sheet.items, empty=sheet.empty)


def flows(catalogue: Catalogue, asked: PageQuery) -> Overview | None:
    """A sankey diagram and a curve in the place of the overview's charts."""
    view = overview(catalogue, asked)
    if view is None:
        return None
    nodes = [Node("A <b>", "seg-1", 0), Node("B", "seg-2", 0), Node("A", "seg-1", 1)]
    drawn = charts.sankey(nodes, [(0, 2, 30), (1, 2, 12)])
    chart = Chart("Flows", "Customers", drawn, "", view.churn.sheet)
    steps = charts.curve([1, 2, 4], "Months <i>", Series("Share", [0.3, 0.2, 0.1]), "percent")
    curve = Chart("Curve", "Shares", steps, "", view.revenue.sheet)
    return Overview(**{**vars(view), "churn": chart, "revenue": curve})


AMOUNTS = (0.004, 0.4, 1.0, 81.37, 999.6, 1143.0, 49_999.0, 35_600_000.0, 2_510_000_000.0)


def sizes(catalogue: Catalogue, asked: PageQuery) -> Overview | None:
    """Bars from less than a cent to billions; very few customers, and bars of months."""
    view = overview(catalogue, asked)
    if view is None:
        return None
    names = [str(amount) for amount in AMOUNTS]
    bars = charts.hbars(names, [Series("Amount", AMOUNTS)], "money")
    few = charts.heatmap(["a"], ["1", "2"], [[0.4, 1.0]], "money")
    only = charts.hbars(["one", "two"], [Series("Customers", [1, 2])], "count")
    chart = Chart("Bars", "Amounts", bars, "", view.churn.sheet)
    fields = Chart("Fields", "Amounts", few, "", view.revenue.sheet)
    if asked.own[SEARCH.name] == "few":
        chart = Chart("Few", "Customers", only, "", view.churn.sheet)
        begins = [date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)]
        months = charts.bars(begins, [Series("Amount", [3.0, 1.0, 2.0])], "money", 30)
        fields = Chart("Months", "Amounts", months, "", view.revenue.sheet)
    return Overview(**{**vars(view), "churn": chart, "revenue": fields})


def one_customer(catalogue: Catalogue, asked: PageQuery) -> Overview | None:
    """A page about one customer, who has to exist."""
    if asked.path["customer_id"] != "C1":
        raise NotThereError("There is no customer with this id.")
    return countries(catalogue, asked)


PAGES = (
    OVERVIEW,
    Page(
        name="countries",
        path="/countries",
        title="Countries",
        template="overview.html",
        read=countries,
        supported_filters=frozenset({"country", "category"}),
        filters_note="customers are counted as of the latest day",
        parameters=(SORT, SEARCH),
    ),
    Page("flows", "/flows", "Flows", "overview.html", flows),
    Page(
        "sizes",
        "/sizes",
        "Sizes",
        "overview.html",
        sizes,
        parameters=(SEARCH,),
        in_navigation=False,
    ),
    Page(
        name="customer",
        path="/customers/{customer_id}",
        title="Customer",
        template="overview.html",
        read=one_customer,
        supported_filters=frozenset(),
        filters_note="this page is about one customer",
        in_navigation=False,
    ),
)


def customers() -> list[dict[str, str]]:
    """Twelve customers in three countries who buy in two categories; =US buys books alone."""
    return [
        {
            "customer_id": f"C{n}",
            "country": ("DE", "FR", "=US")[n % 3],
            "top_category": "Toys" if n % 2 and n % 3 != 2 else "Books",
        }
        for n in range(12)
    ]
