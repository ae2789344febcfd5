"""Encryption of stored secrets, and policies for browsers."""
