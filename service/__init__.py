"""The API program: HTTP in, HTTP out. A view parses, calls, commits, answers."""
