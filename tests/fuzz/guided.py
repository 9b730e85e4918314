"""Fuzzes one reader guided by coverage: `python tests/fuzz/guided.py "zip archives" -max_total_time=60`.

The cases and checks are those of run.py, built by Hypothesis from bytes that libFuzzer chooses for the branches of
`pipeline_lib` and of Python's own zipfile that they reach. Needs `pip install atheris`, which no other part does.
"""

import sys
import tempfile
from pathlib import Path

import atheris
from hypothesis import HealthCheck, given, settings

with atheris.instrument_imports(include=["pipeline_lib", "zipfile", "csv"]):
    from run import READERS


def main() -> None:
    reader = READERS[sys.argv[1]]
    cases = accepted = 0

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(reader.cases)
    def check(case: object) -> None:
        nonlocal cases, accepted
        with tempfile.TemporaryDirectory() as folder:
            inner = Path(folder, "case")
            inner.mkdir()
            accepted += reader.check(inner, case)
        cases += 1
        if cases % 1_000 == 0:
            print(f"{reader.name}: {cases:,} cases, {accepted:,} accepted", file=sys.stderr)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], check.hypothesis.fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
