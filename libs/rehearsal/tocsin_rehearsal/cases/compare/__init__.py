"""The comparison of what was expected with what was seen."""
