"""What every route shares: route declarations, parsing, errors, idempotency, hooks, the OpenAPI document.

No view belongs here; shapes of requests and answers are in `service.schemas`.
"""
