"""Backpropagation shown number by number: traces, loss surfaces, gradient checks.

It calls the same functions that training runs and trains nothing itself.
"""
