"""The linter's checks, one concern a file; each yields what it finds."""
