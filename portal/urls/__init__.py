"""URL configurations: of a brand's host, and of the admin's hosts."""
