"""Metrics and reports from outputs and targets.

Arrays in, plain numbers out: nothing here knows a network or how it was trained.
"""
