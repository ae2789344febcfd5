"""gunicorn's configuration for the reference, which has settings of its own: that of the portal, as JSON."""

import json
import os
import sys
from typing import Any

# Read from portal/gunicorn.py by tests.bench.pages.
_same = json.loads(os.environ["SAME"])
globals().update(_same)


def post_worker_init(worker: Any) -> None:
    sys.setswitchinterval(_same["SWITCH_SECONDS"])
