"""Sign-in of customers by emailed code."""
