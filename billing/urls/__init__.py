"""URLs of billing: customer pages and admin."""
