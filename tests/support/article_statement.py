"""The statement in the carrier's article."""

EXAMPLE = {
    "opening_balance": "245.71293",
    "payments": "57",
    "adjustments": "5",
    "call_charges": "48.125",
    "other_charges": "7.5",
    "total_charges": "60.625",
    "closing_balance": "242.08793",
}
