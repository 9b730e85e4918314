# Run time and memory of every stage and every system.
