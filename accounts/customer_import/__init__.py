"""Customers from a CSV file."""
