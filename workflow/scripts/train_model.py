"""Train one system with one seed; killed at any moment and started again, it ends with the same weights (on CPUs).

Started by torchrun, its processes share every batch (pipeline_lib.compute.launch does that).
"""

import sys
from contextlib import nullcontext
from pathlib import Path

from pipeline_lib.compute.device import choose_device, keep_freed_memory, seed_weights
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.layout import Description
from pipeline_lib.config.training import Training
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.files.formats import write_json, write_text
from pipeline_lib.models import saved
from pipeline_lib.stage.cli import run
from pipeline_lib.text.units import read_units
from pipeline_lib.training.arithmetic import matrix_peak, operations_per_token
from pipeline_lib.training.loop import InterruptedTraining, Trainer
from pipeline_lib.training.state import claimed, run_folder


def main(
    train: Path,
    validation: Path,
    vocabulary: Path,
    reads: dict[str, Path],
    starts_from: list[Path],
    description: Description,
    settings: Training,
    seed: int,
    code: str,
    state: Path,
    tensorboard: Path,
    model: Path,
    history: Path,
    summary: Path,
) -> None:
    keep_freed_memory()
    units = read_units(vocabulary)
    device, ranks = choose_device(settings.device), Ranks()
    seed_weights(seed)
    network = saved.build(description, units)
    for trained in starts_from:
        saved.start_from(network, trained)
    network.to(device)
    folder = run_folder(
        state,
        description.model_dump_json(),
        settings.model_dump_json(),
        str(seed),
        code,
        "/".join(model.parts[-4:-1]),  # two systems may differ in what they do after training alone
        files=[train, validation, vocabulary, *reads.values(), *starts_from],
    )
    with ranks.joined(device), claimed(folder, model) if ranks.rank == 0 else nullcontext():
        trainer = Trainer(
            network,
            ExampleDataset.open(train, reads),
            ExampleDataset.open(validation, reads),
            settings,
            seed,
            folder,
            tensorboard,
            ranks,
        )
        try:
            outcome = trainer.run()
        except InterruptedTraining as interruption:
            if ranks.rank == 0:
                print(interruption, file=sys.stderr)
            sys.exit(143)
    if ranks.rank == 0:
        write_text(history, outcome.history)
        arithmetic = {
            "operations_per_token": operations_per_token(
                network, trainer.train_set, settings, seed, outcome.summary["steps"]
            ),
            "matrix_peak": matrix_peak(device, settings.precision),
        }
        write_json(summary, outcome.summary | arithmetic)
        # last: once it is there, another job may remove the state that this one would resume from
        saved.save(model, outcome.weights, description, outcome.summary["converged"], network.config)


if __name__ == "__main__":
    run(main)
