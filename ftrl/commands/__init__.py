"""The commands of ``ftrl``: one module each, parse - call one function - print."""
