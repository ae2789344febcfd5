"""`make soak`: two nodes, two brands, visitors and staff, while carriers fail and nodes die at random."""
