"""Customer actions: one module per flow, which takes the brand and plain values.

Each returns an Outcome with texts for the customer. An action with a captcha token runs once, however often
its form is sent.
"""
