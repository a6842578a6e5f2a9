"""What the notifier decides: pure functions over an incident's log."""
