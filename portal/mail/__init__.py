"""Mails of a brand."""
