"""Staff of Aurora, and a customer at the carrier, for tests of transfers and of staff pages."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from portal.models import Brand
from tests.conftest import ADMIN, Simulator
from tests.support.transfers import new_customer, staff_of


@pytest.fixture
def sam(aurora: Brand) -> User:
    """Sam works for Aurora."""
    return staff_of(aurora)


@pytest.fixture
def tess(aurora: Brand) -> User:
    """Tess works for Aurora too."""
    return staff_of(aurora, "tess@example.com")


@pytest.fixture
def staff_client(browse: Callable[..., Client], sam: User) -> Client:
    """Sam's browser on the admin host."""
    return browse(ADMIN, sam)


@pytest.fixture
def carl(simulator: Simulator, aurora: Brand) -> User:
    """A customer of Aurora with a balance of 10."""
    return new_customer(simulator, aurora)
