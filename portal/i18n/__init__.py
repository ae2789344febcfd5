"""Language of a page, and translation of the carrier client's texts."""
