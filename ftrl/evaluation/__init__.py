"""The room ``ftrl.evaluation``."""
