"""Rehearsal: incident response tested, recorded, replayed and simulated with the code that runs in production."""
