"""Admin pages of transfers."""
