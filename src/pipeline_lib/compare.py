"""The old name of `python -m pipeline_lib compare`."""

from pipeline_lib.runs.compare import run

if __name__ == "__main__":
    run()
