"""One outside a file."""
