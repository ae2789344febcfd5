"""gunicorn's configuration for the reference, which has settings of its own: that of the portal, as JSON."""

import json
import os

# Read from portal/gunicorn.py by tests.bench.pages.
globals().update(json.loads(os.environ["SAME"]))
