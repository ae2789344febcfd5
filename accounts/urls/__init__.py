"""Addresses of accounts: of a brand's customers, and of staff."""
