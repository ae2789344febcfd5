"""Limit the damage of a failing carrier, Redis or database: breakers, bulkheads, limits, timeouts."""
