"""The report of a finished run: one page that works without a network."""
