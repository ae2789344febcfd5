"""The reference for the portal's pages: a bare Django project on the same server and database.

`bare/` returns two letters. `small/` is a minimal page: a base template, a navigation, a table of seven rows,
and for a signed-in user their name and a sign-out form. It uses only Django's own middleware, sessions and
users. Run with gunicorn as `tests.bench.reference`; `prepare()` creates tables, a user and a session, and
returns the session key.
"""

import os

import django
import environ
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

BASE = """{% load i18n %}<!doctype html>
<html lang="en"><head><title>{% block title %}{% endblock %}</title></head><body>
<nav>{% url 'bare' as bare %}{% url 'small' as small %}
<a href="{{ bare }}">{% translate "Bare" %}</a>
<a href="{{ small }}"{% if request.path == small %} aria-current="page"{% endif %}>{% translate "Small" %}</a>
{% if request.user.is_authenticated %}<form method="post">
{% csrf_token %}<button>{% translate "Sign out" %}</button></form>
{% endif %}</nav>
<main>{% for message in messages %}<p>{{ message }}</p>{% endfor %}{% block content %}{% endblock %}</main>
</body></html>"""
SMALL = """{% extends "base.html" %}{% block title %}Small{% endblock %}
{% block content %}<h1>Hello {% if user.is_authenticated %}{{ user.username }}{% endif %}</h1>
<table>{% for name, value in rows %}<tr class="{{ name }}"><th>{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}</table>{% endblock %}"""
ROWS = [(f"row-{number}", number * 1.5) for number in range(7)]

database = environ.Env.db_url_config(os.environ["DATABASE_URL"])
if "postgresql" in database["ENGINE"]:
    database |= {"OPTIONS": {"pool": {"min_size": 1, "max_size": 10}}, "CONN_HEALTH_CHECKS": True}
settings.configure(
    SECRET_KEY="only-for-a-reference-" * 3,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": database},
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ],
                "loaders": [
                    (
                        "django.template.loaders.cached.Loader",
                        [
                            (
                                "django.template.loaders.locmem.Loader",
                                {"base.html": BASE, "small.html": SMALL},
                            )
                        ],
                    )
                ],
            },
        }
    ],
)
django.setup()


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def small(request: HttpRequest) -> HttpResponse:
    return render(request, "small.html", {"rows": ROWS})


urlpatterns = [
    path("bare/", bare, name="bare"),
    path("small/", small, name="small"),
]
application = get_wsgi_application()


def prepare() -> str:
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("alice")
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session.save()
    return str(session.session_key)


if __name__ == "__main__":
    print(prepare())
