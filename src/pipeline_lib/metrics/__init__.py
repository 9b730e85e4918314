"""Metrics of generated responses: one file per metric, one interface, settings in every signature."""
