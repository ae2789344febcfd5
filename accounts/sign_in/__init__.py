"""What a sign-in by code is made of."""
