"""The brand page in the admin: sections, launch checklist, connection check."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.admin.brand.fieldsets import SECTIONS
from portal.admin.brand.inlines import LabelledInline
from portal.carrier.connection_proof import is_connection_verified
from portal.models import Brand
from portal.security.crypto import encrypt
from tests.conftest import Simulator
from tests.portal.test_admin import brand_data, change_url

Browse = Callable[..., Client]


def page_of(client: Client, path: str) -> str:
    response = client.get(path, secure=True)
    assert response.status_code == 200
    return response.content.decode()


def press_check(client: Client, brand: Brand, account_number: str = "") -> Any:
    data = {"account_number": account_number}
    return client.post(f"/admin/portal/brand/{brand.pk}/check/", data, secure=True, follow=True)


def messages_of(response: Any) -> list[str]:
    return [f"{message.level_tag}: {message}" for message in response.context["messages"]]


@pytest.mark.parametrize("adding", [True, False])
def test_page_has_ordered_sections_and_a_table_of_contents(
    admin_client: Client, aurora: Brand, adding: bool
) -> None:
    page = page_of(admin_client, "/admin/portal/brand/add/" if adding else change_url(aurora))
    anchors = [section.anchor for section in SECTIONS]
    assert re.findall(r'<div class="brand-admin-section" id="([a-z]+)"', page) == anchors
    for anchor in anchors:
        assert f'href="#{anchor}"' in page
    parts = re.split(r'<div class="brand-admin-section" id="', page)[1:]
    first_fields = (
        *("id_name", "hosts-0-host", "id_support_email"),
        *("id_account_type", "id_carrier_url", "id_recaptcha_kind"),
    )
    for part, name in zip(parts, first_fields, strict=False):
        assert name in part
    assert 'name="overrides-TOTAL_FORMS"' in parts[-1]
    assert 'name="response_codes-TOTAL_FORMS"' in parts[-1]
    assert page.count('name="hosts-TOTAL_FORMS"') == 1
    assert ("Ready to go live" in page) is not adding


def test_every_field_has_a_help_text(admin_client: Client) -> None:
    context = admin_client.get("/admin/portal/brand/add/", secure=True).context
    fields = dict(context["adminform"].form.fields)
    for inline in context["inline_admin_formsets"]:
        # Fields of a table have help below it, see the next test; Django gives them only tooltips.
        fields |= {
            f"{inline.opts.model.__name__}.{name}": field
            for name, field in inline.formset.empty_form.fields.items()
            if name not in ("id", "brand", "DELETE") and not isinstance(inline.opts, LabelledInline)
        }
    assert "BrandHost.position" in fields
    assert "MethodOverride.date_format" in fields
    assert [name for name, field in fields.items() if not field.help_text] == []


def test_response_code_table_has_help_below_it(admin_client: Client) -> None:
    page = page_of(admin_client, "/admin/portal/brand/add/")
    assert page.index('id="response_codes-group"') < page.index("Leave out codes that fit no meaning")


def test_time_zones_are_suggested(admin_client: Client) -> None:
    page = page_of(admin_client, "/admin/portal/brand/add/")
    (offered,) = re.findall(r'<datalist id="timezone-offered">(.*?)</datalist>', page)
    assert 'list="timezone-offered"' in page
    assert '<option value="Australia/Sydney">' in offered
    assert "Etc/GMT" not in offered


def test_first_save_leads_to_the_brand_page_with_the_checklist(admin_client: Client, aurora: Brand) -> None:
    new = {"slug": "cirrus", "name": "Cirrus", "carrier_key": "cirrus-api-key", "hosts-INITIAL_FORMS": "0"}
    host = {"hosts-0-id": "", "hosts-0-brand": "", "hosts-0-host": "cirrus.test"}
    data = brand_data(aurora, **new, **host)
    response = admin_client.post("/admin/portal/brand/add/", data, secure=True, follow=True)
    cirrus = Brand.objects.get(slug="cirrus")
    assert response.redirect_chain[-1][0] == change_url(cirrus)
    assert "The carrier has not yet answered with this address and key." in response.content.decode()


def test_saving_an_existing_brand_stays_on_its_page(admin_client: Client, aurora: Brand) -> None:
    response = admin_client.post(change_url(aurora), brand_data(aurora, name="Aurora"), secure=True)
    assert response.headers["Location"] == change_url(aurora)
    assert Brand.objects.get().name == "Aurora"
    page = page_of(admin_client, change_url(aurora))
    assert "_continue" not in page
    more = brand_data(aurora, _addanother="1")
    response = admin_client.post(change_url(aurora), more, secure=True)
    assert response.headers["Location"] == "/admin/portal/brand/add/"


def test_successful_check_updates_the_checklist(
    simulator: Simulator, admin_client: Client, aurora: Brand
) -> None:
    assert "has not yet answered" in page_of(admin_client, change_url(aurora))
    response = press_check(admin_client, aurora)
    assert response.redirect_chain == [(change_url(aurora), 302)]
    page = response.content.decode()
    assert "Aurora Phone: the carrier answered with your own balance. The closing balance" in page
    assert "The carrier has answered with this address and key." in page
    assert is_connection_verified(Brand.objects.get())


def test_check_with_account_number_finds_wrong_balance_names(
    simulator: Simulator, admin_client: Client, aurora: Brand
) -> None:
    override = aurora.overrides.create(
        method="customer_balance", parameters={"account_number": "account_numbre"}
    )
    response = press_check(admin_client, aurora)
    (own,) = messages_of(response)
    assert own.startswith("success: Aurora Phone: the carrier answered with your own balance.")
    assert "so nothing proves the names" in response.content.decode()
    own, customers = messages_of(press_check(admin_client, aurora, "70001"))
    assert own.startswith("success")
    assert customers.startswith("error: Aurora Phone: this customer's balance could not be read.")
    override.delete()
    response = press_check(admin_client, aurora, " 70001 ")
    assert messages_of(response)[1].startswith(
        "success: Aurora Phone: the carrier answered with this customer's balance."
    )
    assert "so nothing proves the names" not in response.content.decode()
    assert "so we asked nothing" in messages_of(press_check(admin_client, aurora, "7" * 100_000))[1]


def test_new_api_key_invalidates_the_connection_check(
    simulator: Simulator, admin_client: Client, aurora: Brand
) -> None:
    page = press_check(admin_client, aurora).content.decode()
    assert re.search(r"The last check that worked was on [^<]*\sAE[DS]T\.", page)
    data = brand_data(aurora, carrier_key="another-key")
    admin_client.post(change_url(aurora), data, secure=True)
    page = page_of(admin_client, change_url(aurora))
    assert "has not yet answered" in page
    assert "The last check that worked" not in page


def test_checklist_of_an_invalid_form_shows_the_stored_state(
    simulator: Simulator, admin_client: Client, aurora: Brand
) -> None:
    press_check(admin_client, aurora)
    data = brand_data(aurora, carrier_key="another-key", currency="XXX", recaptcha_site_key="")
    page = admin_client.post(change_url(aurora), data, secure=True).content.decode()
    assert "The carrier has answered with this address and key." in page
    assert "The captcha has a site key." in page
    assert "another-key" not in page


def test_check_requires_post_and_reports_a_failure(
    simulator: Simulator, admin_client: Client, aurora: Brand
) -> None:
    assert admin_client.get(f"/admin/portal/brand/{aurora.pk}/check/", secure=True).status_code == 405
    assert admin_client.post("/admin/portal/brand/999/check/", secure=True).status_code == 404
    Brand.objects.update(carrier_key=encrypt("wrong-key"))
    page = press_check(admin_client, aurora).content.decode()
    assert "Either the API key is wrong, or this server&#x27;s public IP address isn&#x27;t listed" in page
    assert "wrong-key" not in page
    assert not is_connection_verified(Brand.objects.get())


def column(client: Client) -> list[str]:
    page = page_of(client, "/admin/portal/brand/")
    return re.findall(r'<td class="field-ready">(.*?)</td>', page)


def test_brand_list_shows_how_much_is_left_to_do(
    simulator: Simulator, admin_client: Client, aurora: Brand, make_brand: Callable[..., Brand]
) -> None:
    make_brand("cirrus", "cirrus.test", recaptcha_site_key="", login_hosts=[], terms_url="")
    press_check(admin_client, aurora)
    # For Aurora a test mail is left to send.
    assert column(admin_client) == ["1 to do", "5 to do"]
    Brand.objects.filter(pk=aurora.pk).update(mail_tested_at=timezone.now())
    assert column(admin_client)[0] == "Nothing is missing"
