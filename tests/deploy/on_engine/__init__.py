"""The compose file on a real container engine: `make compose-test` runs it."""
