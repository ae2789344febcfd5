"""The admin page of a brand."""
