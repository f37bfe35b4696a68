"""Training a feed-forward network: the loop over epochs, the engines that run it, stopping rules, the state to resume.

Formulas do not belong here: those of a network are in `feedforward`, those of a step in `optimization`.
"""
