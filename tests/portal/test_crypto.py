"""Encrypted secrets: key rotation, no reading without the key, and no accidental printing."""

import copy
import io
import json
import logging
import pickle

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from portal.models import Brand
from portal.security.crypto import EncryptedSecret, SecretUnreadable, encrypt, keyed_hash

SECRET = "canary-api-key"
OLD, NEW = "the passphrase of last year", Fernet.generate_key().decode()


def test_secret_decrypts_to_its_value(settings):
    for keys in ([OLD], [NEW], [NEW, OLD], [f" {NEW} "]):
        settings.ENCRYPTION_KEYS = keys
        for text in (SECRET, "Zoë ☃", "x" * 5000):
            assert encrypt(f" {text}\n").reveal() == text
    assert not encrypt("")
    assert encrypt("").reveal() == EncryptedSecret().reveal() == ""


def test_same_secret_is_never_stored_the_same_way_twice():
    assert encrypt(SECRET).stored != encrypt(SECRET).stored


def test_new_key_encrypts_and_the_old_one_still_decrypts(settings):
    settings.ENCRYPTION_KEYS = [OLD]
    before = encrypt(SECRET)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert before.reveal() == SECRET
    after = encrypt(SECRET)
    settings.ENCRYPTION_KEYS = [NEW]
    assert after.reveal() == SECRET
    with pytest.raises(SecretUnreadable, match="ENCRYPTION_KEY"):
        before.reveal()


@pytest.mark.parametrize("stored", ["plain text", "gAAAAA", "☃", "env:SECRET_KEY", "env:PORTAL_SECRET_x"])
def test_plain_text_in_place_of_ciphertext_is_refused(stored):
    with pytest.raises(SecretUnreadable, match="ENCRYPTION_KEY"):
        EncryptedSecret(stored).reveal()


def test_changed_ciphertext_is_unreadable():
    stored = encrypt(SECRET).stored
    with pytest.raises(SecretUnreadable):
        EncryptedSecret(stored[:-6] + ("A" if stored[-6] != "A" else "B") + stored[-5:]).reveal()


def test_reference_is_read_from_the_environment_each_time(monkeypatch):
    secret = encrypt("env:PORTAL_SECRET_AURORA_KEY")
    assert secret.stored == "env:PORTAL_SECRET_AURORA_KEY"
    with pytest.raises(SecretUnreadable, match="PORTAL_SECRET_AURORA_KEY"):
        secret.reveal()
    monkeypatch.setenv("PORTAL_SECRET_AURORA_KEY", f" {SECRET} ")
    assert secret.reveal() == SECRET


@pytest.mark.parametrize(
    "text",
    [
        "env:SECRET_KEY",
        "env:PATH",
        "env:",
        "env:PORTAL_SECRET_",
        "env:portal_secret_x",
        "env:PORTAL_SECRET_A B",
    ],
)
def test_reference_to_any_other_variable_is_refused(text):
    with pytest.raises(ValueError, match="PORTAL_SECRET_"):
        encrypt(text)


@pytest.mark.parametrize("key", ["short", "fifteen letters", "ключ"])
def test_weak_encryption_key_is_refused_without_repeating_it(settings, key):
    settings.ENCRYPTION_KEYS = [NEW, key]
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEY") as caught:
        encrypt(SECRET)
    assert key not in str(caught.value)


# Nothing prints it


def test_no_representation_shows_the_secret(caplog):
    secret = encrypt(SECRET)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        "{} {!r}".format(secret, secret),  # noqa: UP032
        str([secret]),
        str({"key": secret}),
    ]
    shown += [
        repr(pickle.dumps(secret)),
        repr(copy.deepcopy(secret).__dict__),
        json.dumps(secret, default=str),
    ]
    logging.getLogger("portal").error("key %s", secret, extra={"key": secret})
    shown += [caplog.text, repr(vars(caplog.records[0]))]
    assert not any(SECRET in text for text in shown)
    assert "•••" in str(secret)
    with pytest.raises(TypeError):
        format(secret, ">20")


def test_field_accepts_only_an_encrypted_value(aurora):
    for value in (SECRET, None, b"x"):
        aurora.carrier_key = value
        with (
            pytest.raises(TypeError, match=r"carrier_key takes portal\.security\.crypto\.encrypt"),
            transaction.atomic(),
        ):
            aurora.save()
    with pytest.raises(TypeError):
        Brand.objects.filter(carrier_key=SECRET).exists()
    assert Brand.objects.get().reveal("carrier_key") == "aurora-api-key"


def test_database_dump_contains_no_key(aurora):
    aurora.carrier_key = encrypt(SECRET)
    aurora.save()
    out = io.StringIO()
    call_command("dumpdata", "portal", stdout=out)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM portal_brand")
        rows = repr(cursor.fetchall())
    for text in (out.getvalue(), rows):
        assert SECRET not in text
        assert aurora.carrier_key.stored in text
    (loaded,) = (
        found for found in serializers.deserialize("json", out.getvalue()) if isinstance(found.object, Brand)
    )
    loaded.object.pk, loaded.object.slug = None, "again"
    loaded.object.save()
    assert Brand.objects.get(slug="again").reveal("carrier_key") == SECRET


# System check


def test_system_check_tries_each_secret_and_names_brand_and_variable(aurora, borealis, settings, monkeypatch):
    call_command("check", databases=["default"])
    aurora.recaptcha_secret_key = encrypt("google-secret")
    aurora.save()
    borealis.carrier_key = encrypt("env:PORTAL_SECRET_BOREALIS_KEY")
    borealis.save()
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError) as caught:
        call_command("check", databases=["default"])
    text = str(caught.value)
    assert "Brand aurora: carrier_key cannot be read: ENCRYPTION_KEY" in text
    assert "Brand aurora: recaptcha_secret_key cannot be read: ENCRYPTION_KEY" in text
    assert (
        "Brand borealis: carrier_key cannot be read: the environment variable PORTAL_SECRET_BOREALIS_KEY"
        in text
    )
    assert text.count("portal.E003") == 3


def test_system_check_names_an_unusable_entry_once(aurora, settings):
    settings.ENCRYPTION_KEYS = ["short"]
    with pytest.raises(CommandError, match="ENCRYPTION_KEY") as caught:
        call_command("check", databases=["default"])
    assert "portal.E001" in str(caught.value)
    assert "portal.E003" not in str(caught.value)


def test_system_check_refuses_google_test_key_and_warns_without_host(aurora, capsys):
    aurora.hosts.all().delete()
    aurora.recaptcha_site_key = "6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI"
    aurora.save()
    with pytest.raises(CommandError) as caught:
        call_command("check", databases=["default"])
    assert "portal.E004" in str(caught.value)
    assert "portal.I005" in str(caught.value)


def test_brand_without_a_host_does_not_prevent_the_start(aurora, capsys):
    aurora.hosts.all().delete()
    call_command("check", databases=["default"], fail_level="WARNING")
    assert "portal.I005" in capsys.readouterr().err


def test_unreadable_api_key_shows_an_error_page_and_is_logged_by_name(alice, browse, settings, caplog):
    settings.ENCRYPTION_KEYS = [NEW]
    response = browse("aurora.test", alice).get("/")
    assert response.status_code == 503
    assert any("Brand aurora: carrier_key" in getattr(record, "why", "") for record in caplog.records)


def test_keyed_hash_depends_on_key_purpose_and_part_boundaries(settings):
    found = {keyed_hash("a", "b", "c"), keyed_hash("a", "bc"), keyed_hash("b", "b", "c"), keyed_hash("a", 1)}
    settings.SECRET_KEY = "another key"
    found.add(keyed_hash("a", "b", "c"))
    assert len(found) == 5
    assert all(len(text) == 64 for text in found)
