"""A new ENCRYPTION_KEY: every stored secret comes under it, and the old one can go."""

import io

import pytest
from django.core.management import CommandError, call_command

from portal.crypto import Sealed, is_newest, seal
from portal.models import Brand
from portal.rotation import secrets_reencrypt
from tests.conftest import app_of

pytestmark = pytest.mark.django_db
OLD, NEW = "a passphrase for tests alone", "a new passphrase for tests"


def stored(brand: Brand) -> Sealed:
    return Brand.objects.get(pk=brand.pk).carrier_key


def test_all_secrets_come_under_the_newest_key_and_the_old_one_can_go(aurora, borealis, operator, settings):
    device = app_of(operator)
    key = device.key.reveal()
    Brand.objects.filter(pk=borealis.pk).update(carrier_key=Sealed("env:PORTAL_SECRET_BOREALIS"))
    Brand.objects.filter(pk=aurora.pk).update(recaptcha_secret_key=seal("a secret"))
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    out = io.StringIO()
    call_command("reencrypt", stdout=out)
    assert "Secrets encrypted anew: 3; already under the newest key: 0." in out.getvalue()
    settings.ENCRYPTION_KEYS = [NEW]
    assert stored(aurora).reveal() == "aurora-api-key"
    assert Brand.objects.get(pk=aurora.pk).recaptcha_secret_key.reveal() == "a secret"
    device.refresh_from_db()
    assert device.key.reveal() == key
    assert stored(borealis).stored == "env:PORTAL_SECRET_BOREALIS"
    done = secrets_reencrypt()
    assert (done.renewed, done.fresh) == (0, 3)


def test_a_key_that_was_entered_meanwhile_stays(aurora, settings, monkeypatch):
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    def entered_meanwhile(sealed: Sealed) -> bool:
        Brand.objects.update(carrier_key=seal("another key"))
        return is_newest(sealed)

    monkeypatch.setattr("portal.rotation.is_newest", entered_meanwhile)
    assert secrets_reencrypt().renewed == 0
    assert stored(aurora).reveal() == "another key"


def test_what_no_key_opens_is_named_and_the_rest_is_done(aurora, borealis, settings):
    settings.ENCRYPTION_KEYS = ["a key that is lost for ever"]
    Brand.objects.filter(pk=borealis.pk).update(carrier_key=seal("lost"))
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match=rf"portal.Brand {borealis.pk}, carrier_key"):
        call_command("reencrypt", stdout=io.StringIO())
    assert is_newest(stored(aurora))
