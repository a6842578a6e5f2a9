"""The notifier's ways to the outside: one a file."""
