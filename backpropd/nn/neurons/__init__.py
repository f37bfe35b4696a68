"""The threshold neurons: McCulloch-Pitts neuron, perceptron, network of perceptrons; their formulas and training.

Networks that are trained by gradients are in `feedforward` and `training`.
"""
