"""Answer every context of a split with a trained model, and score the references under it."""

import json
from pathlib import Path

from pipeline_lib.compute.device import choose_device, keep_freed_memory
from pipeline_lib.config.decoding import Decoding
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.models import saved
from pipeline_lib.responses.generate import respond
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.stage.cli import run
from pipeline_lib.text.units import read_units


def main(
    model: Path,
    vocabulary: Path,
    encoded: Path,
    examples: Path,
    reads: dict[str, Path],
    split: str,
    settings: Decoding,
    device: str,
    seed: int,
    out: Path,
) -> None:
    keep_freed_memory()
    units = read_units(vocabulary)
    trained = saved.load(model, units)
    network = trained.system.to(choose_device(device))
    dataset, texts = ExampleDataset.open(encoded, reads), read_parquet(examples, EXAMPLES)
    table, metadata = respond(network, units, dataset, texts, settings, seed, split)
    write_parquet(out, table, RESPONSES, metadata | {"converged": json.dumps(trained.converged)})


if __name__ == "__main__":
    run(main)
