"""The formulas of one pass over a batch: activations, losses, initializers, layers, forward and backward.

Each algorithm is declared here, beside its formula. Optimizers and schedules are in `optimization`, the loop over
epochs in `training`.
"""
