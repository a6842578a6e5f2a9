"""The outside of the recorder: its database, its API, its pages, and the log that it is checked against."""
