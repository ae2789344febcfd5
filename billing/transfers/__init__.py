"""Moves of funds between a partner account and its customers."""
