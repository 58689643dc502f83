"""The room ``ftrl.rollouts``."""
