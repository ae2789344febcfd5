"""Asks the portal in one process: JSON of name → [path, who] and of cookies in, queries and seconds out."""
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


def main(wanted: dict[str, list[str]], cookies: dict[str, str]) -> None:
    told = {}
    for name, (path, who) in wanted.items():
        client = Client(headers={"host": ADMIN if who == "operator" else HOST})
        if who:
            client.cookies[settings.SESSION_COOKIE_NAME] = cookies[who]
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
        told[name] = {"queries": len(queries), "seconds": seconds[1:]}
    print(json.dumps(told))


main(*(json.loads(argument) for argument in sys.argv[1:3]))
