# One page with all of it, that opens without a network, and what this run was.
