"""Which column comes from which: as far as a value is taken over, or is a plain sum or ratio.

Belongs here: the one declaration of columns' origins, and its form for Dagster. Does not belong
here: which table is made from which (the assets' deps). Tables whose columns come out of a model
or a history have none, and what only decides which rows count (the kind of a line, the day of a
window) is not named.
"""

from collections.abc import Iterable, Mapping

import dagster as dg

from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import (
    CATEGORY_PAIRS,
    COHORT_RETENTION,
    CUSTOMER_FEATURES,
    CUSTOMER_RFM,
    FIRST_CATEGORY,
    KPIS_DAILY,
    RFM_MODEL,
    SALES_DAILY,
)
from bridge_cart_assets.tables.silver import (
    ACCOUNTING,
    CUSTOMERS,
    IDENTITIES,
    PURCHASES,
    QUARANTINE,
)
from bridge_cart_assets.tables.table import Table

Origins = tuple[tuple[Table, str], ...]

_RAW = {source.name: source.raw for source in SOURCES}
_NATIVE, _PROFILES, _RETAIL = _RAW["purchases"], _RAW["customers"], _RAW["online_retail"]
_WHERE_FROM = {
    "source": "_source",
    "batch_day": "_batch_day",
    "object": "_object",
    "pos": "_pos",
    "fingerprint": "_fingerprint",
}


def _of(table: Table, **columns: str) -> dict[str, Origins]:
    """Columns that come from columns of one table, these as names with blanks between them."""
    return {
        column: tuple((table, origin) for origin in origins.split())
        for column, origins in columns.items()
    }


def _both(*parts: Mapping[str, Origins]) -> dict[str, Origins]:
    """Origins of several tables put together, column by column."""
    together: dict[str, Origins] = {}
    for part in parts:
        for column, origins in part.items():
            together[column] = together.get(column, ()) + origins
    return together


def _same(table: Table, names: str) -> dict[str, Origins]:
    """Columns that have the name which they come from."""
    return _of(table, **{name: name for name in names.split()})


LINEAGE: Mapping[str, Mapping[str, Origins]] = {
    PURCHASES.path: _both(
        _same(
            _NATIVE,
            "order_id line_number customer_id purchase_date purchase_amount discount_amount "
            "quantity coupon_used payment_method product_category",
        ),
        _of(
            _NATIVE,
            purchase_day="purchase_date",
            purchase_month="purchase_date",
            net_amount="purchase_amount discount_amount",
            version_at="updated_at purchase_date",
            kind="status purchase_amount",
            received_customer_id="customer_id",
            email_key="email",
        ),
        _of(_NATIVE, **_WHERE_FROM),
        _of(
            _RETAIL,
            order_id="InvoiceNo",
            customer_id="CustomerID",
            received_customer_id="CustomerID",
            purchase_date="InvoiceDate",
            purchase_day="InvoiceDate",
            purchase_month="InvoiceDate",
            version_at="InvoiceDate",
            purchase_amount="Quantity UnitPrice",
            net_amount="Quantity UnitPrice",
            quantity="Quantity",
            kind="InvoiceNo Quantity UnitPrice",
        ),
        _of(_RETAIL, **_WHERE_FROM),
    ),
    CUSTOMERS.path: _both(
        _same(
            _PROFILES,
            "customer_id name email mobile gender age income city country signup_date",
        ),
        _of(_PROFILES, valid_from="updated_at _batch_day", received_customer_id="customer_id"),
        _of(_PROFILES, **_WHERE_FROM),
        _of(
            _RETAIL,
            customer_id="CustomerID",
            received_customer_id="CustomerID",
            country="Country",
            valid_from="InvoiceDate",
        ),
        _of(_RETAIL, **_WHERE_FROM),
    ),
    IDENTITIES.path: _both(
        *(
            _of(
                raw,
                identity="customer_id email",
                person_id="customer_id email",
                first_seen="_batch_day",
                email_key="email",
            )
            for raw in (_NATIVE, _PROFILES)
        )
    ),
    QUARANTINE.path: _both(
        *(_of(raw, **_WHERE_FROM, quarantined_at="_batch_day") for raw in _RAW.values())
    ),
    ACCOUNTING.path: _both(
        *(_of(raw, source="_source", batch_day="_batch_day") for raw in _RAW.values())
    ),
    CUSTOMER_FEATURES.path: _both(
        _of(
            PURCHASES,
            customer_id="customer_id",
            first_purchase_day="purchase_day",
            last_purchase_day="purchase_day",
            orders="source order_id",
            recency_days="purchase_day",
            tenure_days="purchase_day",
            frequency="purchase_day",
            t_x="purchase_day",
            revenue="net_amount",
            refunds="net_amount",
            net_revenue="net_amount",
            aov="net_amount source order_id",
            median_gap_days="purchase_day",
            coupon_rate="coupon_used source order_id",
            discount_rate="discount_amount purchase_amount",
            refund_rate="net_amount",
            top_category="product_category net_amount",
            top_payment_method="payment_method source order_id",
            active_months="purchase_month",
        ),
        _of(CUSTOMERS, age_imputed="age", income_imputed="income"),
        _same(CUSTOMERS, "country gender age income"),
    ),
    CUSTOMER_RFM.path: _both(
        _same(CUSTOMER_FEATURES, "customer_id as_of recency_days orders net_revenue"),
        _of(
            CUSTOMER_FEATURES,
            r_score="recency_days",
            f_score="orders",
            m_score="net_revenue",
            rfm_group="recency_days orders net_revenue",
        ),
        _of(
            RFM_MODEL,
            **dict.fromkeys(("r_score", "f_score", "m_score", "rfm_group"), "score above up_to"),
            model_version="model_version",
        ),
    ),
    KPIS_DAILY.path: _of(
        PURCHASES,
        day="purchase_day",
        orders="source order_id",
        active_customers="customer_id",
        new_customers="customer_id",
        revenue="net_amount",
        discounts="discount_amount",
        refunds="net_amount",
        net_revenue="net_amount",
        aov="net_amount source order_id",
        revenue_new="net_amount",
        revenue_returning="net_amount",
        customers_total="customer_id",
        repeat_customers="customer_id source order_id",
        churn_base_90d="customer_id purchase_day",
        churned_90d="customer_id purchase_day",
        churn_rate_90d="customer_id purchase_day",
        retained_90d="customer_id purchase_day",
        retention_rate_90d="customer_id purchase_day",
        base_revenue_90d="net_amount",
        retained_revenue_90d="net_amount customer_id",
        nrr_90d="net_amount customer_id",
        revenue_90d="net_amount",
        orders_90d="source order_id",
        active_90d="customer_id",
        aov_90d="net_amount source order_id",
        coupon_orders_90d="coupon_used source order_id",
        coupon_rate_90d="coupon_used source order_id",
        discounts_90d="discount_amount",
        purchase_amount_90d="purchase_amount",
        discount_rate_90d="discount_amount purchase_amount",
        refunds_90d="net_amount",
        refund_rate_90d="net_amount",
        revenue_total="net_amount",
        top_decile_revenue="net_amount customer_id",
        top_decile_share="net_amount customer_id",
        gini="net_amount customer_id",
        anonymous_orders="order_id customer_id",
        anonymous_revenue="net_amount customer_id",
        anonymous_refunds="net_amount customer_id",
        revenue_all="net_amount",
    ),
    COHORT_RETENTION.path: _of(
        PURCHASES,
        cohort_month="purchase_day",
        month_index="purchase_day",
        cohort_size="customer_id",
        active_customers="customer_id",
        retention="customer_id",
        revenue="net_amount",
    ),
    FIRST_CATEGORY.path: _of(
        PURCHASES,
        first_category="product_category purchase_date net_amount",
        customers="customer_id",
        repeat_customers="customer_id source order_id",
        repeat_rate="customer_id source order_id",
        customers_90d="customer_id purchase_day",
        repeat_customers_90d="customer_id source order_id purchase_day",
        repeat_rate_90d="customer_id source order_id purchase_day",
        orders="source order_id",
        orders_per_customer="source order_id customer_id",
        revenue="net_amount",
        revenue_per_customer="net_amount customer_id",
        net_revenue="net_amount",
        net_revenue_per_customer="net_amount customer_id",
    ),
    CATEGORY_PAIRS.path: _of(
        PURCHASES,
        category_a="product_category",
        category_b="product_category",
        **dict.fromkeys(
            (
                *("orders", "orders_a", "orders_b", "orders_all", "support"),
                *("confidence_ab", "confidence_ba", "lift"),
            ),
            "source order_id product_category",
        ),
    ),
    SALES_DAILY.path: _both(
        _of(
            PURCHASES,
            day="purchase_day",
            discounts="discount_amount",
            revenue="net_amount",
            refunds="net_amount",
        ),
        _same(PURCHASES, "product_category payment_method coupon_used quantity purchase_amount"),
        _same(CUSTOMERS, "country"),
    ),
}


def lineage(table: Table) -> dg.TableColumnLineage | None:
    """The origins of a table's columns, as Dagster has them; None when none are declared."""
    declared = LINEAGE.get(table.path)
    if not declared:
        return None
    return dg.TableColumnLineage(
        {column: list(_deps(origins)) for column, origins in declared.items()}
    )


def origin(table: Table, column: str) -> str:
    """The origins of a column in words: From silver/purchases: net_amount. '' without any."""
    found: dict[str, list[str]] = {}
    for where, name in LINEAGE.get(table.path, {}).get(column, ()):
        found.setdefault(where.path, []).append(name)
    listed = "; ".join(f"{path}: {', '.join(names)}" for path, names in found.items())
    return f"From {listed}" if listed else ""


def _deps(origins: Origins) -> Iterable[dg.TableColumnDep]:
    for table, column in origins:
        yield dg.TableColumnDep(dg.AssetKey(table.path.split("/")), column)
