"""The portal's settings in an environment that no developer's .env can change."""

import os

_KEEP = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)}
_TESTS = {
    "SCHEME": "https",
    "DEBUG": "False",
    "SECRET_KEY": "only-for-tests-" * 4,
    "ENCRYPTION_KEY": "a passphrase for tests alone",
    "ADMIN_HOSTS": "admin.test",
    "DATABASE_URL": "sqlite:///test.sqlite3",
    "REDIS_URL": "",
    "EMAIL_URL": "memorymail://",
    "RECAPTCHA_URL": "http://127.0.0.1:9/recaptcha",
    "CARRIER_PRIVATE_HOSTS": "127.0.0.1",
    "TRUSTED_PROXIES": "0",
    "LOG_FORMAT": "text",
    "BIND": "127.0.0.1:8000",
    "PORTAL_PAGES": "True",
    "WEB_CONCURRENCY": "1",
    "WEB_THREADS": "64",
}
if "REDIS_URL" in _KEEP and (worker := os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")):
    # Each worker empties its counters between tests, so each has its own Redis database.
    base, _, number = _KEEP["REDIS_URL"].rpartition("/")
    _KEEP["REDIS_URL"] = f"{base}/{int(number) + int(worker)}"
os.environ.update(_TESTS | _KEEP)

from huey import MemoryHuey  # noqa: E402

from portal.settings import *  # noqa: E402, F403
from portal.settings import LOGGING, STORAGES, TEMPLATES  # noqa: E402

HUEY = MemoryHuey("portal", results=False)  # No test waits for a worker, but those that start one.
BRAND_SECONDS = 0  # Changes in a test show at once; tests/portal/test_brand_lookup.py sets it.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_AUTOREFRESH = True
# A misspelled variable in a template must fail a test, not render as nothing.
TEMPLATES[0]["OPTIONS"]["string_if_invalid"] = "MISSING-VARIABLE(%s)"
LOGGING["root"]["level"] = "WARNING"
