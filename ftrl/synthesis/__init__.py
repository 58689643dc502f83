"""The room ``ftrl.synthesis``."""
