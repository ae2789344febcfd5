"""Simulate the carrier, Google's reCAPTCHA and a mail server in one local process.

It is written from the carrier's contract and shares no code with the portal, so that a client that misreads
the contract fails here as it would at the carrier. `python -m portal.simulator --port 0` starts it.
"""
