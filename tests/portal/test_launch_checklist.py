"""The launch checklist "Ready to go live", computed from the brand."""

import socket
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from portal.brands.launch_checklist import count_missing_of, get_checklist
from portal.carrier.connection_proof import check_connection, is_connection_verified
from portal.core.validators import GOOGLE_TEST_KEY
from portal.models import Brand
from portal.security.crypto import EncryptedSecret, encrypt
from tests.conftest import Simulator


def states(brand: Brand, *without: str) -> dict[str, str]:
    return {item.key: item.state for item in get_checklist(brand, without)}


def test_complete_brand_is_ready(simulator: Simulator, aurora: Brand) -> None:
    aurora.response_codes.create(code="4103", meaning="email_taken")
    aurora.mail_tested_at = timezone.now()  # type: ignore[attr-defined, unused-ignore]
    assert count_missing_of(aurora) == 1
    assert all(finding.ok for finding in check_connection(brand=aurora))
    assert count_missing_of(aurora) == 0
    # The simulator as carrier, a sender elsewhere and an untested method are hints, not obstacles.
    hints = {key for key, state in states(aurora).items() if state == "hint"}
    assert hints == {"stand_in", "sender", "customer"}


def test_each_step_leads_to_where_it_begins(admin_client: Client, make_brand: Callable[..., Brand]) -> None:
    brand = make_brand("aurora", "aurora.test", terms_url="", login_hosts=[], recaptcha_site_key="")
    page = admin_client.get(f"/admin/portal/brand/{brand.pk}/change/").content.decode()
    steps = {item.key: item.anchor for item in get_checklist(brand) if item.todo}
    assert {
        "carrier": "check",
        "customer": "check_account_number",
        "mail": "test_mail_to",
    }.items() <= steps.items()
    for anchor in steps.values():
        assert f'href="#{anchor}"' in page
        assert page.count(f'id="{anchor}"') == 1, anchor
    assert '<button class="button" id="check">' in page


@pytest.mark.parametrize(
    ("fields", "key", "state"),
    [
        ({"recaptcha_site_key": ""}, "captcha", "missing"),
        ({"recaptcha_site_key": GOOGLE_TEST_KEY + "x"}, "captcha", "missing"),
        ({}, "captcha", "ok"),
        ({"login_hosts": []}, "login_hosts", "missing"),
        ({"terms_url": ""}, "terms", "missing"),
        ({"privacy_url": ""}, "terms", "missing"),
        ({"privacy_url": "", "signup_open": False}, "terms", "hint"),
        ({"carrier_key": EncryptedSecret()}, "carrier", "missing"),
        ({"carrier_key": EncryptedSecret("not a Fernet token")}, "carrier", "missing"),
        ({}, "carrier", "missing"),
        ({}, "mail", "missing"),
        ({}, "codes", "hint"),
        ({}, "customer", "hint"),
    ],
)
def test_obstacles_are_named(
    make_brand: Callable[..., Brand], fields: dict[str, Any], key: str, state: str
) -> None:
    brand = make_brand("aurora", "aurora.test", **fields)
    (item,) = [item for item in get_checklist(brand) if item.key == key]
    assert item.state == state
    assert bool(item.todo) is (state != "ok")


def test_brand_without_a_host_is_not_ready(aurora: Brand) -> None:
    aurora.hosts.all().delete()
    assert states(aurora)["hosts"] == "missing"


def test_host_without_dns_is_only_a_hint(aurora: Brand) -> None:
    before = count_missing_of(aurora)
    assert states(aurora, "aurora.test")["dns"] == "hint"
    assert count_missing_of(aurora) == before


@pytest.mark.parametrize(
    ("sender", "host", "related"),
    [
        ("no-reply@aurora.example", "portal.aurora.example", True),
        ("no-reply@mail.aurora.example", "portal.aurora.example", True),
        ("no-reply@portal.aurora.example", "aurora.example", True),
        ("Aurora <no-reply@AURORA.example>", "aurora.example", True),
        ("no-reply@borealis.example", "aurora.example", False),
        ("no-reply@notaurora.example", "aurora.example", False),
        ("no-reply@gmail.example", "portal.aurora.example", False),
    ],
)
def test_sender_of_another_domain_is_a_hint(aurora: Brand, sender: str, host: str, related: bool) -> None:
    aurora.from_email = sender
    aurora.hosts.update(host=host)
    assert ("sender" not in states(aurora)) is related


# --- Connection check ---


def test_carrier_answer_verifies_the_connection_and_refusal_undoes_it(
    simulator: Simulator, aurora: Brand
) -> None:
    assert not is_connection_verified(aurora)
    before = timezone.now()
    check_connection(brand=aurora)
    stored = Brand.objects.get()
    assert is_connection_verified(stored)
    assert stored.carrier_proven_at is not None
    assert before <= stored.carrier_proven_at <= before + timedelta(seconds=30)
    simulator.fault("partner_balance", "status", status=401)
    check_connection(brand=stored)
    assert not is_connection_verified(Brand.objects.get())
    assert Brand.objects.get().carrier_proven_at is None


def test_changed_url_or_key_has_to_be_verified_again(simulator: Simulator, aurora: Brand) -> None:
    check_connection(brand=aurora)
    url, key = aurora.carrier_url, aurora.carrier_key
    aurora.carrier_url = url + "v3/"
    assert not is_connection_verified(aurora)
    aurora.carrier_url, aurora.carrier_key = url, encrypt("another-key")
    assert not is_connection_verified(aurora)
    aurora.carrier_key = encrypt("aurora-api-key")
    assert aurora.carrier_key != key
    assert is_connection_verified(aurora)


def test_unknown_account_number_does_not_invalidate_the_key(simulator: Simulator, aurora: Brand) -> None:
    assert not check_connection(brand=aurora, account_number="99999")[-1].ok
    assert is_connection_verified(Brand.objects.get())


def test_changes_saved_during_the_check_are_kept(simulator: Simulator, aurora: Brand) -> None:
    Brand.objects.update(carrier_url="https://elsewhere.example/api/")
    check_connection(brand=aurora)
    stored = Brand.objects.get()
    assert stored.carrier_url == "https://elsewhere.example/api/"
    assert not is_connection_verified(stored)


def test_stored_check_result_contains_no_key(simulator: Simulator, aurora: Brand) -> None:
    check_connection(brand=aurora)
    assert "aurora-api-key" not in aurora.carrier_proven_for
    assert len(aurora.carrier_proven_for) == 64


def test_command_lists_what_is_left_to_do(simulator: Simulator, aurora: Brand) -> None:
    out = StringIO()
    call_command("check_carrier", "aurora", stdout=out)
    output = out.getvalue()
    assert "ok: The carrier has answered with this address and key." in output
    assert "TO DO: No test email has been sent." in output
    simulator.fault("partner_balance", "status", status=401)
    with pytest.raises(CommandError):
        call_command("check_carrier", "aurora", stdout=out)
    assert "TO DO: The carrier has not yet answered" in out.getvalue()


# --- DNS ---


def test_command_looks_up_dns_only_for_public_hosts(
    aurora: Brand, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up, real = [], socket.getaddrinfo

    def resolve(host: str, *args: Any, **options: Any) -> Any:
        if not host.endswith((".example", ".localhost")):
            return real(host, *args, **options)
        looked_up.append(host)
        if host == "gone.example":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        if host == "unwell.example":
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        if host == "failed.example":
            raise socket.gaierror(socket.EAI_FAIL, "it failed")
        return []

    aurora.hosts.all().delete()
    hosts = ("there.example", "gone.example", "unwell.example", "failed.example", "cirrus.localhost")
    for number, host in enumerate(hosts):
        aurora.hosts.create(host=host, position=number)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    out = StringIO()
    call_command("check_carrier", "aurora", stdout=out)
    assert [host for host in hosts if f"{host} has no DNS entry" in out.getvalue()] == ["gone.example"]
    assert "cirrus.localhost" not in looked_up
