"""Periodic jobs of the accounts app."""

from accounts.cleanup import prune_accounts
from portal.jobs import periodic

periodic.register(prune_accounts)
