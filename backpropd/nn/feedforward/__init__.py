"""The feed-forward network: activations, losses, initializers, layers, forward and backward.

The formulas of one pass over a batch. Optimizers are in `optimization`, the loop over epochs in `training`.
"""
