"""A few of the faults of docs/operations/faults.md: the tables come back, or an error names the damaged file."""

from pathlib import Path

import pytest
from tiny_workflow import TinyWorkflow

from chaos.experiment import Experiment
from chaos.served import serving
from pipeline_lib.files.checksums import checksum_file

RECOVERED = ("unharmed, equal", "same command again, equal", "unlocked, equal", "no stage reads it, equal")
NAMED = ("error named the file; deleted, equal", "verify named the file; deleted, equal")


@pytest.fixture
def experiment(finished: TinyWorkflow, tmp_path: Path) -> Experiment:
    return Experiment(finished, tmp_path / "checkout", seed=3, pause=1.0)


def outcomes(experiment: Experiment) -> dict[str, str]:
    return {f"{fault.kind} {fault.target}": fault.outcome for fault in experiment.record}


def test_after_jobs_and_scheduler_are_killed_the_same_tables_are_made(experiment: Experiment) -> None:
    experiment.kill_jobs(2, "responses/embedded/random")
    experiment.kill_scheduler("responses/embedded/random", 1, whole_group=False)
    assert experiment.record[-1].happened == "jobs ended with it"
    assert set(outcomes(experiment).values()) <= {*RECOVERED}, outcomes(experiment)


def test_files_damaged_between_runs_are_named_or_read_by_nothing(experiment: Experiment) -> None:
    experiment.damage_files(5, among=lambda path: checksum_file(path).exists())
    found = outcomes(experiment)
    assert len(found) == 5
    assert set(found.values()) <= {*RECOVERED, *NAMED}, found
    assert set(found.values()) & {*NAMED}


def test_a_download_that_brings_a_web_page_is_an_error_and_the_next_run_fetches_it(experiment: Experiment) -> None:
    with serving() as server:
        experiment.download(server, "web page", pinned=False)
    assert set(outcomes(experiment).values()) <= {*RECOVERED}, outcomes(experiment)
