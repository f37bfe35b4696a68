"""Requests to resolved specs: every `auto` becomes a choice, and what cannot work is rejected with its pointer.

`feedforward` and `threshold` resolve a whole request; the other modules resolve one part of it for either of them. The
choices are listed in docs/choices.md.
"""
