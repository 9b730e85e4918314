"""The typed form of papers and presets: one class per section; an unknown key is an error that names the nearest.

A stage is given its section as JSON on the command line and reads it back with `Settings.model_validate_json`; nothing
else of the configuration reaches it, so Snakemake sees exactly what a stage depends on. A stage imports the module of
its own section alone, so that a new setting elsewhere reruns nothing of it.
"""
