"""What every route shares: declarations, parsing, errors, bodies, the OpenAPI document, the WSGI bridge.

No route belongs here.
"""
