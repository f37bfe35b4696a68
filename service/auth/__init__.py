"""Who may do what: access control, API keys, principals.

How keys are stored is in `backpropd.store.keys`; the routes that manage them are in `service.routes.keys`.
"""
