"""What bounds a fault of the carrier, Redis or the database: breakers, slots, limits, time-outs."""
