"""The commands, one module for each group: they call the client and print its responses.

What is shared by several groups belongs in `backpropd.cli`.
"""
