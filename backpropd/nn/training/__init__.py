"""Training of a feed-forward network: the loop over epochs, engines, stopping rules, and the state of a checkpoint.

Formulas do not belong here: those of a network are in `feedforward`, those of a step in `optimization`.
"""
