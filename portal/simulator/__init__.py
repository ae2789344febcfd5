"""A stand-in for the carrier, for Google's reCAPTCHA and for a mail server: one local process.

It is written from the carrier's contract and shares no code with the portal: a client that misreads the
contract must fail here as it would fail at the carrier. `python -m portal.simulator --port 0` starts it.
"""
