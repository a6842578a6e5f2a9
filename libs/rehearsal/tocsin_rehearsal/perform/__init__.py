"""A test is performed: its world is set up, what it says is done at its times, and what came of it is told."""
