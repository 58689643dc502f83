"""The room ``ftrl.rewards``."""
