"""The pages of balance and statement."""
