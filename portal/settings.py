"""All settings. Those that differ between installations come from the environment (see .env.example)."""

import os
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from portal.core import database, env
from portal.core.hosts import host_of_bind, is_address, is_loopback
from portal.jobs import queue
from portal.mail import smtp_backend
from portal.monitoring import logging
from portal.security.browser_policies import CONTENT_SECURITY_POLICY, PERMISSIONS_POLICY  # noqa: F401
from portal.voipline import Reach, Timeouts

BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(str(BASE_DIR / ".env"))  # A missing file is fine; the real environment wins.

# --- Network -------------------------------------------------------------------------------------

DEBUG = env.boolean("DEBUG", False)
SCHEME = env.choice("SCHEME", ("https", "http"), "https")
BIND = env.text("BIND", "127.0.0.1:8000")
ADMIN_HOSTS = [host.lower() for host in env.string_list("ADMIN_HOSTS", "admin.localhost")]
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0)
ALLOWED_HOSTS = ["*"]  # The brand middleware answers 400 on an unknown host.
WEB_CONCURRENCY = env.integer("WEB_CONCURRENCY", 2, minimum=1)
WEB_THREADS = env.integer("WEB_THREADS", 64, minimum=1)
# True if this process answers visitors. portal.wsgi and portal.gunicorn set the variable, never an operator.
PAGES = "PORTAL_PAGES" in os.environ

SECURE = SCHEME == "https"
if not SECURE and not is_loopback(host_of_bind(BIND)):
    raise ImproperlyConfigured(
        f"SCHEME=http is for demonstrations on this machine only, but BIND is {BIND!r}. "
        "Set SCHEME=https, or BIND to 127.0.0.1:PORT."
    )

# --- Secrets -------------------------------------------------------------------------------------

SECRET_KEY = env.secret("SECRET_KEY", "for-development-only-" * 3 if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set. Make one with: openssl rand -base64 48")
ENCRYPTION_KEYS = [key for key in env.secret("ENCRYPTION_KEY").split(",") if key.strip()]
if not ENCRYPTION_KEYS:
    if SECURE and not DEBUG:
        raise ImproperlyConfigured(
            "ENCRYPTION_KEY is not set. The carrier's API keys are stored encrypted with it. "
            "Make one with: openssl rand -base64 32 | tr '+/' '-_'"
        )
    ENCRYPTION_KEYS = [SECRET_KEY]

# --- Applications --------------------------------------------------------------------------------

INSTALLED_APPS = [
    "portal",
    "accounts",
    "billing",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_otp",
    "django_recaptcha",
    "csp",
    "huey.contrib.djhuey",
]

MIDDLEWARE = [
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "portal.middleware.request_id.assign_request_id",
    "portal.middleware.health.health",
    "portal.monitoring.middleware.metrics_page",
    "portal.monitoring.middleware.requests",
    "portal.middleware.body_size.body_size",
    "portal.middleware.scheme.scheme",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.brand.brand",
    "portal.middleware.sessions.SessionMiddleware",
    "portal.middleware.session_realm.bind_session_to_brand",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "portal.middleware.staff_session.staff_session",
    "portal.middleware.login_required.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.middleware.method_page.method_page",
    "portal.middleware.database_outage.OutageMiddleware",
]

ROOT_URLCONF = "portal.urls.brand"
ADMIN_URLCONF = "portal.urls.admin"
WSGI_APPLICATION = "portal.wsgi.application"
APPEND_SLASH = True

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
# Widgets and fields use our templates too: the captcha must have no inline script.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- Database, cache, mail -----------------------------------------------------------------------

DATABASES = {"default": env.parsed("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}", database.from_url)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: a transfer must be on disk before the carrier is called, in case the power fails.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    DATABASES["default"]["OPTIONS"] = database.options(
        DATABASES["default"].get("OPTIONS", {}), pages=PAGES, waiting=max(1, WEB_THREADS * 3 // 4)
    )
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
BRAND_SECONDS = 1  # A process caches a brand for so long.
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.secret(
    "REDIS_URL",
    form=r"rediss?://([^@/\s]*@)?[A-Za-z0-9.\[\]:-]+(/\d+)?",
    rule="cannot be read; write it like redis://host:6379/0.",
)
# Seconds; see portal.resilience.redis_guard.
REDIS_OPTIONS = {"socket_timeout": 1, "socket_connect_timeout": 1}
_REDIS_CACHE = "django.core.cache.backends.redis.RedisCache"
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": _REDIS_CACHE, "LOCATION": REDIS_URL, "OPTIONS": REDIS_OPTIONS}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # One per process: brands by host, and page fragments (portal.templatetags.fragments).
    "local": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "local",
        "OPTIONS": {"MAX_ENTRIES": 2000},
    },
}

# Messages for the worker (portal.jobs). Another SECRET_KEY voids those that wait; their rows stay due.
HUEY = queue.from_database(DATABASES["default"], SECRET_KEY)

vars().update(env.parsed("EMAIL_URL", "consolemail://", smtp_backend.from_url))
STAFF_EMAIL_FROM = env.text(
    "STAFF_EMAIL_FROM",
    form=r"|([^<>@\r\n]*<)?[^\s<>@]+@[^\s<>@]+>?",
    rule="an address, or Portal <portal@example.com>; empty: each brand's own sender.",
)
EMAIL_TIMEOUT = 10  # Seconds. Without it, a mail server that hangs would block a worker for ever.

DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # Bytes of a form without uploads. The longest has a captcha token.

# --- Sign-in and sessions ------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.StaffBackend"]
PASSWORD_HASHERS = ["accounts.hashers.SlottedPBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"

_PREFIX = "__Host-" if SECURE else ""
SESSION_ENGINE = "portal.middleware.sessions"
SESSION_COOKIE_NAME = f"{_PREFIX}session"
SESSION_COOKIE_SECURE = SECURE
SESSION_COOKIE_AGE = 14 * 24 * 3600  # The admin ends its sessions before; all others have their own end.
CSRF_COOKIE_NAME = f"{_PREFIX}csrf"
CSRF_COOKIE_SECURE = SECURE
CSRF_COOKIE_HTTPONLY = True
DEVICE_COOKIE_NAME = f"{_PREFIX}device"  # See accounts.sign_in.device_cookies.
CSRF_FAILURE_VIEW = "portal.web.error_views.csrf_failure"
# A message in the session belongs to one brand. In a cookie the browser could read it.
MESSAGE_STORAGE = "portal.middleware.sessions.Messages"

# --- Browser security ----------------------------------------------------------------------------

SECURE_SSL_REDIRECT = SECURE  # Never redirects: portal.middleware.scheme has already set the scheme.
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if not DEBUG:
    DEFAULT_EXCEPTION_REPORTER = "portal.monitoring.error_reports.ScrubbedReporter"
    DEFAULT_EXCEPTION_REPORTER_FILTER = "portal.monitoring.error_reports.ScrubbedReportFilter"
SILENCED_SYSTEM_CHECKS = [
    # The reseller owns the parent domain and decides on HSTS for its other hosts and on HSTS preloading.
    "security.W005",
    "security.W021",
    # django-recaptcha checks project-wide keys. Ours belong to brands and are checked in portal.checks.
    "django_recaptcha.recaptcha_test_key_error",
]
if not SECURE:
    # A demo on this machine has no https, and warnings stop the start.
    SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W008", "security.W010", "security.W016"]

RECAPTCHA_URL = env.text(
    "RECAPTCHA_URL",
    "https://www.google.com/recaptcha",
    form=r"(https://[A-Za-z0-9.-]+|http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\]))"
    r"(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4}))?(/[A-Za-z0-9._~/-]*)?",
    rule="https://host/path, no query (http:// on this machine only).",
).rstrip("/")

# --- The carrier ---------------------------------------------------------------------------------

# Seconds to connect, for each read, and for the whole call including the name look-up.
CARRIER_TIMEOUTS = Timeouts(connect=3, read=10, total=15)
_PRIVATE_HOSTS = env.string_list(
    "CARRIER_PRIVATE_HOSTS",
    form=r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*",
    rule="a host name or an IP address. Write hosts alone, comma-separated: no https://, no port, no range.",
)
for _host in _PRIVATE_HOSTS:
    if ":" in _host and not is_address(_host):
        raise ImproperlyConfigured(f"CARRIER_PRIVATE_HOSTS has {_host!r}, which is no IP address.")
CARRIER_REACH = Reach(loopback=DEBUG or not SECURE, private_hosts=frozenset(_PRIVATE_HOSTS))

# --- Static files --------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # Nodes store no files.
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Language and time ---------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", "English"),
    ("en-au", "English (Australia)"),
    ("en-gb", "English (United Kingdom)"),
    ("en-nz", "English (New Zealand)"),
    ("en-us", "English (United States)"),
    ("es", "Spanish"),
    ("zh-hans", "Simplified Chinese"),
    ("ar", "Arabic"),
]
LANGUAGE_COOKIE_NAME = f"{_PREFIX}language"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Logs -----------------------------------------------------------------------------

LOG_FORMAT = env.choice("LOG_FORMAT", ("text", "json"), "text")
LOGGING = logging.configuration(LOG_FORMAT)
METRICS_TOKEN = env.secret(
    "METRICS_TOKEN",
    form=r"[!-~]{16,}",
    rule="must have 16 characters or more, and no blanks. Make one with: openssl rand -hex 24",
)
SENTRY_DSN = env.secret(
    "SENTRY_DSN",
    form=r"https?://[0-9A-Za-z]+@[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~-]+)*/[0-9]+",
    rule="cannot be read; write it as Sentry shows it: https://KEY@HOST/PROJECT.",
)
