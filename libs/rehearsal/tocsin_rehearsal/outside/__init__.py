"""The systems outside, modelled: what is acted upon, what receives messages, what is measured."""
