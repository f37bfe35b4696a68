"""The worker program: claims and trains jobs, rescues those of lost workers, and migrates the database.

How to train belongs in `backpropd.learn` and `backpropd.nn`, what is stored in `backpropd.store`.
"""
