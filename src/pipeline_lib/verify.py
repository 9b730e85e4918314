"""The old name of `python -m pipeline_lib verify`."""

from pipeline_lib.runs.verify import run

if __name__ == "__main__":
    run()
