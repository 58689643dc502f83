"""The room ``ftrl.models``."""
