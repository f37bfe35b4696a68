"""Tests of the mathematics against formulas on paper, finite differences, scikit-learn and PyTorch."""
