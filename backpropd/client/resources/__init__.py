"""The resources of the API, one module for each: methods that send requests and return typed responses.

How requests are sent, repeated and checked belongs in `transport`.
"""
