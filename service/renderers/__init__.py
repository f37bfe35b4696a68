"""Representations of answers other than JSON: one module per format, CSV or PNG.

JSON comes from `service.schemas`; files of a whole model come from `backpropd.export`.
"""
