"""Two shops that the tests look at, made once: a dirty one and one that lasts for a year."""

import pytest

from bridge_cart_assets.generator.arguments import Shop
from bridge_cart_tests.generator.shop_factory import Made, make


@pytest.fixture(scope="session")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Made:
    shop = Shop(customers=4_500, days=75, newcomers=25, dirt=0.4)
    return make(shop, tmp_path_factory.mktemp("dirty"))


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> Made:
    shop = Shop(customers=5_000, days=365, newcomers=3, dirt=0)
    return make(shop, tmp_path_factory.mktemp("year"))
