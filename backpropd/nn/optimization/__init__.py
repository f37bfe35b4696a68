"""One step of gradient descent over flat vectors: optimizers, learning-rate schedules, regularization.

Nothing here knows layers or epochs; the loop is in `training`.
"""
