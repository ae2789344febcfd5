"""Periodic jobs of the portal app."""

from portal.carrier.call_log import prune_call_log
from portal.cleanup import prune_portal, prune_sessions
from portal.jobs import periodic
from portal.mail.outbox import prune_emails, send_emails

periodic.register(send_emails)
periodic.register(prune_emails, every=60)
periodic.register(prune_portal)
periodic.register(prune_sessions)
periodic.register(prune_call_log)
periodic.register(periodic.prune_job_runs, every=60)
