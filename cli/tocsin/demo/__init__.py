"""`tocsin demo`: a real incident in a real shop, and what Tocsin does about it. Nothing in it is scripted."""
