"""Measure the cosine of [c; z] within and between groups, over the first batches that a system was trained on."""

from pathlib import Path

from pipeline_lib import storage
from pipeline_lib.analysis.latents import measure_distances
from pipeline_lib.analysis.schemas import DISTANCES
from pipeline_lib.cli import run
from pipeline_lib.config.figures import LatentDistances
from pipeline_lib.config.training import Training
from pipeline_lib.models import saved
from pipeline_lib.text.vocabulary import Vocabulary
from pipeline_lib.training.batches import BatchOrder, PairDataset
from pipeline_lib.training.device import choose_device, keep_freed_memory


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
    words = Vocabulary.read(vocabulary)
    network = saved.load(model, words).to(choose_device(training.device))
    dataset = PairDataset.open(train, clusters[0] if clusters else None)
    order = BatchOrder(dataset, training.batch_size, training.bucket_batches, seed)
    batches = min(settings.batches, storage.read_json(summary)["steps"])
    table = measure_distances(network, dataset, order, batches, settings.threshold, seed)
    storage.write_parquet(out, table, DISTANCES)


if __name__ == "__main__":
    run(main)
