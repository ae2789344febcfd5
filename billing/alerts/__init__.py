"""Alerts about balances: once per episode, from balances that are read on a schedule."""
