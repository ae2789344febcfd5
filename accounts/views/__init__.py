"""The customer's journey, page by page: read the form, call one service, answer."""
