"""Views of the admin's sign-in."""
