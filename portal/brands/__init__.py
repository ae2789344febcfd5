"""Brands: found by host, who may see them, their look, and their file of configuration."""
