"""Analyses, a module for each kind: values beside the scores, of a trained system, of a corpus or of a sweep.

A kind's module is imported when a run is planned, to check its options; so it imports torch within its functions.
"""
