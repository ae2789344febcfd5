"""Middleware: a module for each entry of settings.MIDDLEWARE."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

Next = Callable[[HttpRequest], HttpResponse]
