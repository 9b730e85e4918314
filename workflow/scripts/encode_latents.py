"""Write down the group and the posterior mean of z that a trained system gives to each example of a split."""

from pathlib import Path

from pipeline_lib.analyses.latents import encode
from pipeline_lib.compute.device import choose_device, keep_freed_memory
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.models import saved
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.stage.cli import run
from pipeline_lib.text.units import Words


def main(
    model: Path, vocabulary: Path, examples: Path, clusters: list[Path], device: str, seed: int, out: Path
) -> None:
    keep_freed_memory()
    words = Words.read(vocabulary)
    network = saved.load(model, words).to(choose_device(device))
    dataset = ExampleDataset.read(examples, words, clusters[0] if clusters else None)
    texts = read_parquet(examples, EXAMPLES, ["example_id", "label"])
    table = encode(network, texts, dataset, seed)
    write_parquet(out, table, table.schema)


if __name__ == "__main__":
    run(main)
