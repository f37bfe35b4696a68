"""Requests are resolved to specs: every `auto` is decided, and invalid options are rejected with their pointers.

`feedforward` and `threshold` resolve a whole request; the other modules resolve one part of it for either of them. The
choices are listed in docs/choices.md.
"""
