"""Attacks with valid keys: each is a test that observes the API's memory and time, and whether others are answered.

`api.py` starts the API with the keys of two tenants; `observer.py` watches it from another process during an attack.
"""
