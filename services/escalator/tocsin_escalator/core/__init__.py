"""The escalator's thinking: pure functions over frozen data. Time is a parameter."""
