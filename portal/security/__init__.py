"""Secrets at rest, and what browsers let our pages do."""
