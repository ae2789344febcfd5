"""Calls to a brand's carrier: made, logged, checked."""
