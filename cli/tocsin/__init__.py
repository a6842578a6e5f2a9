"""Tocsin's command line: `tocsin up`, `tocsin run`, `tocsin lint`, and what operators type at night."""
