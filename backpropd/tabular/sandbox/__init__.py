"""Uploaded files are read in a process of their own, within limits: `client` asks, `server` reads.

How a format is read does not belong here.
"""
