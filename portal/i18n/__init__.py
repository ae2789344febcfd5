"""The language of a page, and texts that wait for one."""
