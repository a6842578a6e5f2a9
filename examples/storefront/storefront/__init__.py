"""A small real web shop, in its own process, that can be broken on purpose."""
