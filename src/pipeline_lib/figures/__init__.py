"""Draw figures; the values come from analyses and training histories."""
