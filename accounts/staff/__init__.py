"""The sign-in of staff: password, then a code."""
