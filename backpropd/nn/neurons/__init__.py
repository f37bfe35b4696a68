"""The neurons with a threshold: McCulloch-Pitts neuron, perceptron, layered network of perceptrons.

Their formulas and their training. Networks with a gradient are in `feedforward`.
"""
