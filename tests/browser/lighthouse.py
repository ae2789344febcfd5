"""`make lighthouse`: measure six pages of the production server with Google's Lighthouse, as on a phone.

Needs Node, whose `npx` downloads Lighthouse. Exits with 1 if a score is below 98. Google's own captcha script
is not included: the simulator's is small, as ours is. With Google's, pages with a captcha score lower, and we
cannot change that.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()  # Shared test code begins with Django's models.

from tests.browser import chromium  # noqa: E402
from tests.browser.accounts import ALICE, CUSTOMERS  # noqa: E402
from tests.browser.actor import Caller, new_address  # noqa: E402
from tests.support.live_stack import AURORA, Stack, running  # noqa: E402

LIGHTHOUSE = "lighthouse@12.8.2"
VISITORS_PAGES = ("/", "/sign-up/", "/sign-in/")
CUSTOMERS_PAGES = ("/", "/statement/", "/history/")
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
LEAST = 98
FLAGS = " ".join(["--headless=new", "--no-sandbox", "--disable-gpu"])


def measure(stack: Stack, path: str, folder: Path, *, signed_in: bool) -> dict[str, Any]:
    """Return Lighthouse's report on a page, of a visitor or of a customer who is signed in."""
    url = stack.home(AURORA) + path.lstrip("/")
    name = f"{path.strip('/') or 'home'}{'-signed-in' if signed_in else ''}"
    report = folder / f"lighthouse-{name}.json"
    headers = {"X-Forwarded-For": new_address()}
    if signed_in:
        cookies = Caller(stack, AURORA, new_address()).sign_in(ALICE)
        headers["Cookie"] = "; ".join(f"{each['name']}={each['value']}" for each in cookies)
    (folder / "headers.json").write_text(json.dumps(headers))
    command = ["npx", "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", f"--output-path={report}"]
    command += [f"--chrome-flags={FLAGS}", f"--extra-headers={folder / 'headers.json'}"]
    command += [f"--only-categories={','.join(CATEGORIES)}"]
    subprocess.run(command, env={**os.environ, "CHROME_PATH": chromium.executable()}, check=True)
    return dict(json.loads(report.read_text()))


def scores(report: dict[str, Any]) -> list[int]:
    """Return the scores in percent, in the order of CATEGORIES."""
    return [round(100 * (report["categories"][name]["score"] or 0)) for name in CATEGORIES]


def losses(report: dict[str, Any]) -> list[str]:
    """Return what costs points, in Lighthouse's words."""
    weighed = {
        each["id"]: each["weight"] for part in report["categories"].values() for each in part["auditRefs"]
    }
    return [
        f"{audit['id']}: {audit['title']} {audit.get('displayValue', '')}".strip()
        for audit in report["audits"].values()
        if weighed.get(audit["id"]) and audit["score"] is not None and audit["score"] < 0.9
    ]


def main() -> int:
    """Measure, print, and exit with 1 if a score is too low."""
    parser = argparse.ArgumentParser(prog="make lighthouse", description=__doc__)
    parser.add_argument("--reports", type=Path, help="folder to keep Lighthouse's JSON in")
    options = parser.parse_args()
    worst = 100
    with tempfile.TemporaryDirectory() as name:
        tmp = Path(name)
        folder = options.reports or tmp
        folder.mkdir(parents=True, exist_ok=True)
        with running(tmp, tmp, customers=CUSTOMERS) as stack:
            print(f"{'page':24}", *CATEGORIES)
            pages = [(path, False) for path in VISITORS_PAGES] + [(path, True) for path in CUSTOMERS_PAGES]
            for path, signed_in in pages:
                report = measure(stack, path, folder, signed_in=signed_in)
                found = scores(report)
                worst = min(worst, *found)
                label = f"{path} (signed in)" if signed_in else path
                print(
                    f"{label:24}", *(f"{score:>{len(n)}}" for n, score in zip(CATEGORIES, found, strict=True))
                )
                for loss in losses(report):
                    print(f"    {loss}", flush=True)
    return int(worst < LEAST)


if __name__ == "__main__":
    sys.exit(main())
