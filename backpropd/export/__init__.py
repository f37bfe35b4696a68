"""Trained models as files for other programs, one module per format, registered in the table of `formats`.

Reading models back is in `backpropd.learn.imports`; HTTP answers are in `service`. This module imports nothing, so that
the client can read the table without what writes the files.
"""
