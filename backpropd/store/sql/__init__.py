"""How SQL is spoken: the schema, column types, transactions, statements, pages.

No rule of the service belongs here.
"""
