"""API keys in the database: they rotate, they are never readable without the key, and they never print."""

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


def test_a_secret_comes_back_as_it_was(settings):
    for keys in ([OLD], [NEW], [NEW, OLD], [f" {NEW} "]):
        settings.ENCRYPTION_KEYS = keys
        for text in (SECRET, "Zoë ☃", "x" * 5000):
            assert encrypt(f" {text}\n").reveal() == text
    assert not encrypt("")
    assert encrypt("").reveal() == EncryptedSecret().reveal() == ""


def test_the_same_secret_is_never_stored_the_same_way_twice():
    assert encrypt(SECRET).stored != encrypt(SECRET).stored


def test_a_new_key_comes_first_and_the_old_one_still_decrypts(settings):
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
def test_what_is_no_ciphertext_is_unreadable_and_not_taken_as_it_stands(stored):
    with pytest.raises(SecretUnreadable, match="ENCRYPTION_KEY"):
        EncryptedSecret(stored).reveal()


def test_a_changed_ciphertext_is_unreadable():
    stored = encrypt(SECRET).stored
    with pytest.raises(SecretUnreadable):
        EncryptedSecret(stored[:-6] + ("A" if stored[-6] != "A" else "B") + stored[-5:]).reveal()


def test_a_reference_is_read_from_the_environment_each_time(monkeypatch):
    sealed = encrypt("env:PORTAL_SECRET_AURORA_KEY")
    assert sealed.stored == "env:PORTAL_SECRET_AURORA_KEY"
    with pytest.raises(SecretUnreadable, match="PORTAL_SECRET_AURORA_KEY"):
        sealed.reveal()
    monkeypatch.setenv("PORTAL_SECRET_AURORA_KEY", f" {SECRET} ")
    assert sealed.reveal() == SECRET


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
def test_a_reference_to_any_other_variable_is_refused(text):
    with pytest.raises(ValueError, match="PORTAL_SECRET_"):
        encrypt(text)


@pytest.mark.parametrize("key", ["short", "fifteen letters", "ключ"])
def test_a_weak_entry_is_refused_by_name_and_not_repeated(settings, key):
    settings.ENCRYPTION_KEYS = [NEW, key]
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEY") as caught:
        encrypt(SECRET)
    assert key not in str(caught.value)


# Nothing shows it


def test_no_way_of_writing_it_down_shows_the_secret(caplog):
    sealed = encrypt(SECRET)
    shown = [
        str(sealed),
        repr(sealed),
        f"{sealed}",
        "{} {!r}".format(sealed, sealed),  # noqa: UP032
        str([sealed]),
        str({"key": sealed}),
    ]
    shown += [
        repr(pickle.dumps(sealed)),
        repr(copy.deepcopy(sealed).__dict__),
        json.dumps(sealed, default=str),
    ]
    logging.getLogger("portal").error("key %s", sealed, extra={"key": sealed})
    shown += [caplog.text, repr(vars(caplog.records[0]))]
    assert not any(SECRET in text for text in shown)
    assert "•••" in str(sealed)
    with pytest.raises(TypeError):
        format(sealed, ">20")


def test_the_field_takes_nothing_but_a_sealed_value(aurora):
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


def test_a_dump_of_the_database_carries_no_key(aurora):
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
    (again,) = (
        found for found in serializers.deserialize("json", out.getvalue()) if isinstance(found.object, Brand)
    )
    again.object.pk, again.object.slug = None, "again"
    again.object.save()
    assert Brand.objects.get(slug="again").reveal("carrier_key") == SECRET


# Start check


def test_the_start_check_tries_each_secret_and_names_brand_and_variable(
    aurora, borealis, settings, monkeypatch
):
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


def test_the_start_check_names_an_unusable_entry_once(aurora, settings):
    settings.ENCRYPTION_KEYS = ["short"]
    with pytest.raises(CommandError, match="ENCRYPTION_KEY") as caught:
        call_command("check", databases=["default"])
    assert "portal.E001" in str(caught.value)
    assert "portal.E003" not in str(caught.value)


def test_the_start_check_refuses_googles_test_key_and_notices_a_brand_without_host(aurora, capsys):
    aurora.hosts.all().delete()
    aurora.recaptcha_site_key = "6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI"
    aurora.save()
    with pytest.raises(CommandError) as caught:
        call_command("check", databases=["default"])
    assert "portal.E004" in str(caught.value)
    assert "portal.I005" in str(caught.value)


def test_a_brand_that_has_no_host_yet_stops_no_start(aurora, capsys):
    aurora.hosts.all().delete()
    call_command("check", databases=["default"], fail_level="WARNING")
    assert "portal.I005" in capsys.readouterr().err


def test_a_brand_that_cannot_be_read_is_the_carriers_page_and_logged_by_name(alice, browse, settings, caplog):
    settings.ENCRYPTION_KEYS = [NEW]
    response = browse("aurora.test", alice).get("/")
    assert response.status_code == 503
    assert any("Brand aurora: carrier_key" in getattr(record, "why", "") for record in caplog.records)


def test_keyed_hashes_depend_on_key_purpose_and_the_border_between_parts(settings):
    found = {keyed_hash("a", "b", "c"), keyed_hash("a", "bc"), keyed_hash("b", "b", "c"), keyed_hash("a", 1)}
    settings.SECRET_KEY = "another key"
    found.add(keyed_hash("a", "b", "c"))
    assert len(found) == 5
    assert all(len(text) == 64 for text in found)
