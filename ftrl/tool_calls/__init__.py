"""The room ``ftrl.tool_calls``."""
