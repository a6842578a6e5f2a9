"""What a test says that cannot be meant: names that do not exist, times that cannot be, and the like."""
