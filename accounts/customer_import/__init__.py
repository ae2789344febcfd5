"""Import and export of customers as CSV files."""
