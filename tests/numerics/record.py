"""Write down what fifty steps of every system, and the tables of the tiny runs, are on this machine.

    cd tests && PYTHONPATH=workflow python -m numerics.record

A commit that changes the record says which value changed, and why.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from numerics.recorded_tables import RECORD, TABLES, record_of
from numerics.trained import SYSTEMS, machine, record


def main() -> None:
    from workflow import test_keywords_and_instances, test_persona_wae, test_sentence_vae
    from workflow.tiny_workflow import TinyWorkflow

    def sepacvae(folder: Path) -> TinyWorkflow:
        workflow = TinyWorkflow.create(folder)
        done = workflow.run(*(f"results/tables/{table}.csv" for table in TABLES["sepacvae"]))
        assert done.returncode == 0, done.stdout
        return workflow

    made: dict[str, Callable[[Path], TinyWorkflow]] = {
        "sepacvae": sepacvae,
        "sentence_vae": test_sentence_vae.made,
        "persona_wae": test_persona_wae.made,
        "keywords_and_instances": test_keywords_and_instances.made,
    }
    os.environ["OMP_NUM_THREADS"] = "1"  # as in the tests: sums of several threads are of another order
    with tempfile.TemporaryDirectory() as folder:
        systems = {name: record(name, Path(folder) / name) for name in SYSTEMS}
        RECORD.write_text(json.dumps({"machine": machine(), "systems": systems}, indent=1) + "\n", encoding="utf-8")
        for paper, make in made.items():
            workflow = make(Path(folder, "runs", paper))
            results = workflow.results if paper == "sepacvae" else workflow.results / paper
            for table in TABLES[paper]:
                kept = record_of(paper, table)
                kept.parent.mkdir(exist_ok=True)
                shutil.copy(results / "tables" / kept.name, kept)


if __name__ == "__main__":
    main()
