"""What a customer can do: a module for each flow, which takes the brand and plain values.

Each answers with an Outcome in the customer's words. An action that carries a captcha token happens once,
however often its form is sent.
"""
