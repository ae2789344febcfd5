"""gunicorn configuration for the reference, which has its own settings: the portal's, as JSON."""

import json
import os
import sys
from typing import Any

# Read from portal/gunicorn.py by tests.bench.pages.
_same = json.loads(os.environ["SAME"])
globals().update(_same)


def post_worker_init(worker: Any) -> None:
    sys.setswitchinterval(_same["SWITCH_SECONDS"])
