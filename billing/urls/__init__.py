"""Addresses of billing: of a brand's customers, and of the admin."""
