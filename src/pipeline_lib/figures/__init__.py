"""Figures, a module for each kind; the values come from analyses and training histories."""
