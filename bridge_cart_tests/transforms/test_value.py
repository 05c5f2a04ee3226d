"""What a customer has been worth; what nobody has fitted is null and says so."""

from datetime import timedelta

import pytest

from bridge_cart_assets.tables.gold import CUSTOMER_VALUE
from bridge_cart_assets.transforms.features import customer_features
from bridge_cart_assets.transforms.value import customer_value
from bridge_cart_tests.transforms.shops import START, customers, line, purchases


@pytest.mark.parametrize(("days", "is_churned"), [(0, False), (89, False), (90, True)])
def test_a_customer_has_churned_after_ninety_days_without_a_sale(
    days: int, is_churned: bool
) -> None:
    as_of = START + timedelta(days=days)
    lines = [line(0, amount="10.00"), line(0, amount="-4.00", kind="refund", line_number=2)]
    features = customer_features(purchases(lines), customers(), as_of)
    row = CUSTOMER_VALUE.conform(customer_value(features.lazy(), as_of)).row(0, named=True)
    assert (row["customer_id"], row["as_of"], row["historic_clv"]) == ("C1", as_of, 6)
    assert row["is_churned"] is is_churned
