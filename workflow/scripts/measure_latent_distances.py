"""Measure the cosine of [c; z] within and between groups, over the first batches that a system was trained on."""

from pathlib import Path

from pipeline_lib.analyses.latents import measure_distances
from pipeline_lib.compute.device import choose_device, keep_freed_memory
from pipeline_lib.config.figures import LatentDistances
from pipeline_lib.config.training import Training
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.files.formats import read_json, write_parquet
from pipeline_lib.models import saved
from pipeline_lib.schemas.latents import DISTANCES
from pipeline_lib.stage.cli import run
from pipeline_lib.text.units import Words


def main(
    model: Path,
    summary: Path,
    vocabulary: Path,
    train: Path,
    clusters: list[Path],
    settings: LatentDistances,
    training: Training,
    seed: int,
    out: Path,
) -> None:
    keep_freed_memory()
    words = Words.read(vocabulary)
    network = saved.load(model, words).to(choose_device(training.device))
    dataset = ExampleDataset.open(train, clusters[0] if clusters else None)
    order = BatchOrder(dataset, training.batch_size, training.bucket_batches, seed)
    batches = min(settings.batches, read_json(summary)["steps"])
    table = measure_distances(network, dataset, order, batches, settings.threshold, seed)
    write_parquet(out, table, DISTANCES)


if __name__ == "__main__":
    run(main)
