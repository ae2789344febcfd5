"""Helpers for requests and responses that all views share, and the error pages."""
