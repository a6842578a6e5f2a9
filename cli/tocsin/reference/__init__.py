"""Reference documents that are made from the code: `python -m tocsin.reference docs`."""
