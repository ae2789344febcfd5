"""Views of the customer pages: read the form, call one service, respond."""
