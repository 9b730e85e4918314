"""Cases, costs and ablations through the workflow itself."""

import csv

from tiny_workflow import ABLATIONS, SYSTEMS

TARGETS = [f"results/tables/{table}.csv" for table in ("table5", "costs", "ablations")]


def read(workflow, name):
    with open(workflow.results / f"tables/{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_cases_costs_and_ablations_come_with_the_rows_of_the_run(checkout):
    copy = checkout()
    (copy.results / "benchmarks/models/embedded/seq2seq/seed1.tsv").unlink()
    (copy.results / "tables/costs.csv").unlink()
    done = copy.run(*TARGETS)
    assert done.returncode == 0, done.stdout
    answers = [row for row in read(copy, "table5") if row["role"] == "answer"]
    assert {row["system"] for row in answers} == set(SYSTEMS) - {"human"}
    assert {row["split"] for row in answers if row["selection"] == "oracle"} == {"validation"}
    training = {row["system"]: row for row in read(copy, "costs") if row["stage"] == "training"}
    assert training["seq2seq"]["seconds"] == ""  # its benchmark file is gone, and nothing was trained to get it back
    assert float(training["seq2seq"]["relative step"]) == 1
    assert float(training["sepacvae"]["seconds"]) > 0
    assert [row["system"] for row in read(copy, "ablations")] == ["sepacvae", *ABLATIONS]
    again = copy.run(*TARGETS)
    assert "Nothing to be done" in again.stdout


def test_ablations_train_their_own_rows_alone(finished):
    planned = finished.planned("results/tables/ablations.csv")
    trained = {job for job in planned if job.startswith("train_model")}
    assert trained == {f"train_model {name} 1" for name in ABLATIONS}


def test_the_table_of_costs_asks_for_no_benchmark_file(checkout):
    copy = checkout()
    (copy.results / "benchmarks/models/embedded/seq2seq/seed1.tsv").unlink()
    (copy.results / "tables/costs.csv").unlink()
    assert copy.planned("results/tables/costs.csv") == {"make_cost_table costs"}
