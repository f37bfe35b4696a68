"""Tests of the client against a small HTTP server: `stand_in`."""
