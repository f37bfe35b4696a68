"""Inspections of a trained model in the columns of its table: curves, loss surfaces, traces, explanations.

What needs arrays alone belongs to `backpropd.nn.inspection`; routes and pictures belong to the service.
"""
