"""The console, by its application without a browser, and in a real one."""
