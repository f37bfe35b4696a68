"""Rows for a trained model: JSON or a stored table, converted by what the model knows of its columns, with findings.

How files are read belongs to the readers, and the encoding of typed columns to the encoders.
"""
