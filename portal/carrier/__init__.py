"""Make, log and check calls to a brand's carrier."""
