"""The old name of `pipeline_lib.runs.verify`: `python -m pipeline_lib.verify` goes on working."""

from pipeline_lib.runs.verify import main

if __name__ == "__main__":
    main()
