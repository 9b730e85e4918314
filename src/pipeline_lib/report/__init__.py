"""What people open when a run is done: one page that works without a network, and the record of what the run was."""
