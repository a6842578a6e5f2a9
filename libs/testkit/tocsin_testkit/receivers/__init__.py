"""Strict doubles of outside receivers: they record what they accept and refuse what the real ones refuse."""
