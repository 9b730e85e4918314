"""Write down what fifty steps of every system, and the tables of the tiny run, are on this machine.

    cd tests && python -m numerics.record

A commit that changes the record says which value changed, and why.
"""

import json
import shutil
import tempfile
from pathlib import Path

from numerics.trained import SYSTEMS, machine, record

RECORD = Path(__file__).parent / "recorded.json"
TABLES = ("table1", "table2", "table3", "table4", "table5", "ablations")
TARGETS = [f"results/tables/{table}.csv" for table in TABLES]


def main() -> None:
    from workflow.tiny_workflow import TinyWorkflow

    with tempfile.TemporaryDirectory() as folder:
        systems = {name: record(name, Path(folder) / name) for name in SYSTEMS}
        RECORD.write_text(json.dumps({"machine": machine(), "systems": systems}, indent=1) + "\n", encoding="utf-8")
        tiny = TinyWorkflow.create(Path(folder) / "tiny")
        done = tiny.run(*TARGETS)
        assert done.returncode == 0, done.stdout
        for table in TABLES:
            shutil.copy(tiny.results / f"tables/{table}.csv", RECORD.parent / "tables")


if __name__ == "__main__":
    main()
