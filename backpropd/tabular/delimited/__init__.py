"""CSV and TSV files: encoding, delimiter, header, numbers, and what is wrong with a file.

Other formats do not belong here; each gets a reader of its own.
"""
