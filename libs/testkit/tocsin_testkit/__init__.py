"""The test kit: real servers without containers, strict doubles of outside receivers, faults on the wire.

Nothing is imported here: a test that needs one double does not pay for the others.
"""
