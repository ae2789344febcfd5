"""What customers do, step by step: each takes the brand and plain values, and says what came of it."""
