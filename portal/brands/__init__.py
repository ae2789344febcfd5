"""Brands: look-up by host, access in the admin, logo and colours, configuration file, launch checklist."""
