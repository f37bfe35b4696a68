"""The one-command stack: a supervisor that starts our programs and a Redis, and imports none of them."""
