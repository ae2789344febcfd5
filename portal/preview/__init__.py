"""Previews of a brand's look, before it is saved."""
