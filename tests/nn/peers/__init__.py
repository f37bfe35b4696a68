"""Figures of PyTorch's, kept as JSON, with the script that makes them."""
