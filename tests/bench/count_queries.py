"""Print queries and seconds of pages, given JSON of name → [path, role] and of cookies."""
# ruff: noqa: E402 - Django must be set up before it can be used.

import json
import os
import sys
import time

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"

import django

django.setup()

from django.conf import settings
from django.db import connection
from django.test import Client

from tests.bench.stack import ADMIN, HOST


def main(pages: dict[str, list[str]], cookies: dict[str, str]) -> None:
    results = {}
    for name, (path, role) in pages.items():
        client = Client(headers={"host": ADMIN if role == "operator" else HOST})
        if role:
            client.cookies[settings.SESSION_COOKIE_NAME] = cookies[role]
        seconds = []
        for _ in range(6):
            queries: list[str] = []

            def count(execute, sql, *rest, queries=queries):
                queries.append(sql)
                return execute(sql, *rest)

            began = time.perf_counter()
            with connection.execute_wrapper(count):
                response = client.get(path)
            seconds.append(time.perf_counter() - began)
            assert response.status_code == 200, (name, response.status_code)
        results[name] = {"queries": len(queries), "seconds": seconds[1:]}
    print(json.dumps(results))


main(*(json.loads(argument) for argument in sys.argv[1:3]))
