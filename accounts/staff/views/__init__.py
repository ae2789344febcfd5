"""The pages of the staff's sign-in."""
