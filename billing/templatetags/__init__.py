"""Template tags of transfers and partner accounts."""
