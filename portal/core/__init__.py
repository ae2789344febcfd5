"""Plain helpers that know no request and no table."""
