"""One step of gradient descent over flat vectors: optimizers, learning-rate schedules, regularization.

Each algorithm is declared here, beside its formula. Nothing here depends on layers or epochs: the loop is in
`training`.
"""
