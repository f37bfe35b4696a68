"""The foundation of the store: tables, column types, transactions, statements, tenants' rows, pages, migrations.

No rule of a resource belongs here.
"""
