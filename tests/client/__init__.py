"""The client's tests, against a small HTTP server that answers as the contract says, and errs when it is told to."""
