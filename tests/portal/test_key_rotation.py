"""Rotation of ENCRYPTION_KEY: `reencrypt` encrypts every stored secret with the newest key."""

import io
import itertools
import re

import pytest
from django.core.management import CommandError, call_command

from portal.models import Brand
from portal.security.crypto import EncryptedSecret, encrypt, uses_primary_key
from portal.security.key_rotation import reencrypt_secrets
from tests.conftest import ROOT, app_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]
OLD, NEW = "a passphrase for tests alone", "a new passphrase for tests"


def stored(brand: Brand) -> EncryptedSecret:
    return Brand.objects.get(pk=brand.pk).carrier_key


def test_reencrypt_uses_the_newest_key_so_the_old_one_can_go(aurora, borealis, operator, settings):
    device = app_of(operator)
    key = device.key.reveal()
    Brand.objects.filter(pk=borealis.pk).update(carrier_key=EncryptedSecret("env:PORTAL_SECRET_BOREALIS"))
    Brand.objects.filter(pk=aurora.pk).update(recaptcha_secret_key=encrypt("a secret"))
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    out = io.StringIO()
    call_command("reencrypt", stdout=out)
    assert "Secrets re-encrypted: 3; already under the newest key: 0." in out.getvalue()
    settings.ENCRYPTION_KEYS = [NEW]
    assert stored(aurora).reveal() == "aurora-api-key"
    assert Brand.objects.get(pk=aurora.pk).recaptcha_secret_key.reveal() == "a secret"
    device.refresh_from_db()
    assert device.key.reveal() == key
    assert stored(borealis).stored == "env:PORTAL_SECRET_BOREALIS"
    done = reencrypt_secrets()
    assert (done.reencrypted, done.up_to_date) == (0, 3)


def test_secret_changed_during_reencryption_is_kept(aurora, settings, monkeypatch):
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    def enter_new_key(secret: EncryptedSecret) -> bool:
        Brand.objects.update(carrier_key=encrypt("another key"))
        return uses_primary_key(secret)

    monkeypatch.setattr("portal.security.key_rotation.uses_primary_key", enter_new_key)
    assert reencrypt_secrets().reencrypted == 0
    assert stored(aurora).reveal() == "another key"


def test_undecryptable_secret_is_named_and_the_rest_reencrypted(aurora, borealis, settings):
    settings.ENCRYPTION_KEYS = ["a key that is lost for ever"]
    Brand.objects.filter(pk=borealis.pk).update(carrier_key=encrypt("lost"))
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match=rf"portal.Brand {borealis.pk}, carrier_key"):
        call_command("reencrypt", stdout=io.StringIO())
    assert uses_primary_key(stored(aurora))


def test_saving_a_stale_row_does_not_restore_the_old_key(aurora, settings):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    stale = Brand.objects.get(pk=aurora.pk)
    reencrypt_secrets()
    stale.name = "Aurora Telephone"
    stale.save()
    settings.ENCRYPTION_KEYS = [NEW]
    assert stored(aurora).reveal() == stale.carrier_key.reveal() == "aurora-api-key"


def test_undecryptable_secret_does_not_prevent_saving(aurora, settings):
    settings.ENCRYPTION_KEYS = ["a key that knows nothing"]
    before = stored(aurora)
    Brand.objects.get(pk=aurora.pk).save()
    assert stored(aurora) == before


def test_every_node_can_decrypt_in_each_documented_rotation_step(aurora, settings):
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.partition("## Change `ENCRYPTION_KEY`")[2].partition("\n## ")[0]
    steps = re.findall(r"ENCRYPTION_KEY=[A-Z,]+|manage.py reencrypt", section)
    now = settings.ENCRYPTION_KEYS = [OLD]
    for step in steps:
        if step == "manage.py reencrypt":
            call_command("reencrypt", stdout=io.StringIO())
            continue
        then = [{"OLD": OLD, "NEW": NEW}[name] for name in step.partition("=")[2].split(",")]
        # Node by node: some have restarted, some have not, and any of them may write.
        for writes, reads in itertools.product((now, then), repeat=2):
            settings.ENCRYPTION_KEYS = writes
            Brand.objects.filter(pk=aurora.pk).update(recaptcha_secret_key=encrypt("a secret"))
            settings.ENCRYPTION_KEYS = reads
            brand = Brand.objects.get(pk=aurora.pk)
            assert (brand.recaptcha_secret_key.reveal(), brand.carrier_key.reveal()) == (
                "a secret",
                "aurora-api-key",
            )
        now = then
    assert now == [NEW]
