"""Helpers that depend on neither a request nor the database."""
