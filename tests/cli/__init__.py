"""Tests of the command `backpropd`."""
