"""The room ``ftrl.training``."""
