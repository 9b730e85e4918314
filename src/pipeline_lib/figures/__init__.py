"""Figures: what is drawn and how it looks; the numbers come from `pipeline_lib.analysis` and the stages before it."""
