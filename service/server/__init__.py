"""The connection between the ASGI server and the WSGI app: receiving bodies and sending answers at a minimum rate.

Nothing here knows Flask, a route or the database.
"""
