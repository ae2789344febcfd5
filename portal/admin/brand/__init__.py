"""The page of a brand in the admin."""
