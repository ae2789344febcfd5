"""Template tags of moves of funds and partner accounts."""
