"""The old name of `pipeline_lib.runs.compare`: `python -m pipeline_lib.compare` goes on working."""

from pipeline_lib.runs.compare import run

if __name__ == "__main__":
    run()
