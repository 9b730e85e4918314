"""Write down the group and the posterior mean of z that a trained system gives to each pair of a split."""

from pathlib import Path

from pipeline_lib import schema, storage
from pipeline_lib.analysis.latents import encode
from pipeline_lib.cli import run
from pipeline_lib.models import saved
from pipeline_lib.text.vocabulary import Vocabulary
from pipeline_lib.training.batches import PairDataset
from pipeline_lib.training.device import choose_device, keep_freed_memory


def main(model: Path, vocabulary: Path, pairs: Path, clusters: list[Path], device: str, seed: int, out: Path) -> None:
    keep_freed_memory()
    words = Vocabulary.read(vocabulary)
    network = saved.load(model, words).to(choose_device(device))
    dataset = PairDataset.read(pairs, words, clusters[0] if clusters else None)
    texts = storage.read_parquet(pairs, schema.PAIRS, ["pair_id", "label"])
    table = encode(network, texts, dataset, seed)
    storage.write_parquet(out, table, table.schema)


if __name__ == "__main__":
    run(main)
