"""The shapes of requests and responses: pydantic models that validate requests, render rows, and make OpenAPI.

One module per resource declares its fields once. Reading requests is in `service.http`; rows are in `backpropd.store`.
"""
