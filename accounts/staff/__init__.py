"""Two-factor sign-in of staff: password, then a code."""
