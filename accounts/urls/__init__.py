"""URLs of accounts: customer pages, and the sign-in of staff."""
