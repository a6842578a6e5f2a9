"""The rules: what an entry is, how it is said, what an incident adds up to. Pure."""
