"""The pages of moving funds, in the admin."""
