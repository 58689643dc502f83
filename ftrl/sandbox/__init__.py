"""The room ``ftrl.sandbox``."""
