"""The time a visitor is asked to wait, on the page and in Retry-After."""

import pytest

from portal.web import retry
from tests.conftest import AURORA
from tests.support.customer_flow import send, sign_up_form, words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "Try again in a minute."),
        (0, "Try again in a minute."),
        (60, "Try again in a minute."),
        (61, "Try again in 2 minutes."),
        (3600, "Try again in 60 minutes."),
        (5401, "Try again in 2 hours."),
        (86400, "Try again in 24 hours."),
        (86401, "Try again later. If it keeps happening, contact us."),
        (999_999_999, "Try again later. If it keeps happening, contact us."),
    ],
)
def test_waiting_time_is_worded_by_its_length(seconds, text):
    assert retry.try_again(seconds) == text


@pytest.mark.parametrize(("seconds", "header"), [(0, "1"), (7, "7"), (3600, "3600"), (999_999_999, "3600")])
def test_retry_after_is_at_most_an_hour(seconds, header):
    assert retry.retry_after(seconds) == header


@pytest.mark.django_db
@pytest.mark.parametrize("wait", [86_400, 999_999_999])
def test_retry_after_of_a_day_by_the_carrier_is_limited_to_an_hour(aurora, alice, simulator, browse, wait):
    for method in ("register_customer", "customer_balance"):
        simulator.fault(method, "status", status=429, retry_after=wait)
    form = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    figures = browse(AURORA, alice).get("/statement/")
    for page in (form, figures):
        assert (page.status_code, page["Retry-After"]) == (503, "3600")
        assert retry.try_again(wait) in words(page)
        assert "in a minute" not in words(page)
