"""Balance statements: fetched from the carrier, cached, shown."""
