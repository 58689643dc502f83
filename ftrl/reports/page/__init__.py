"""The page: its frame, styles and scripts, files of their own, put together into one."""
