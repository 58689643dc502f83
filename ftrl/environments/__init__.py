"""The room ``ftrl.environments``."""
