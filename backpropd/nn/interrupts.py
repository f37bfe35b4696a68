"""The values of an interrupt: an array of one int8 that training checks between two batches."""

STOP = 1
"""Training ends with its last complete epoch, as if the one that was interrupted had not begun."""
TIME_IS_UP = 2
"""As `STOP`, but the first epoch, before which nothing has been learned, keeps the steps that it has made."""
