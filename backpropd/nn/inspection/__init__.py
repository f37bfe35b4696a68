"""Inspection of a network: traces of backpropagation number by number, loss surfaces, gradient checks.

It calls the functions that training runs, and trains nothing itself.
"""
