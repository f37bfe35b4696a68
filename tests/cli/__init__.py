"""The command's tests, against the client's stand-in."""
