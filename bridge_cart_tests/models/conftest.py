"""Data that several tests of the models use."""

from pathlib import Path

import pytest

from bridge_cart_tests.models.cdnow import CdnowPackageMissingError, fetched


@pytest.fixture(scope="session")
def cdnow_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that has CDNOW's purchases in it."""
    try:
        return fetched(tmp_path_factory.mktemp("cdnow"))
    except CdnowPackageMissingError as error:
        pytest.skip(str(error))
