"""Time and peak memory of extraction: subtitle lines -> dialogues -> pairs -> filtering -> vocabulary, counts.

About eight minutes by default, at 0.5, 1, 2.5 and 5 million lines. Every stage runs as the workflow runs it, as a
command line in a process of its own, so that its peak memory is its own. Lines are those of the development data where
they are at hand (``WORKBENCH_DATA``), else of the generated corpus; each repetition after the first has one word of
every line exchanged, so that texts stay distinct.

    python benchmarks/extraction.py [lines ...]
"""

import gzip
import itertools
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import REPOSITORY, head, python, row

from pipeline_lib.config import Filtering, RemoteFile, Source, Synthetic
from pipeline_lib.corpora.synthetic import generate
from pipeline_lib.schema import TOKENS, vectors
from pipeline_lib.storage import read_parquet, sha256, write_json, write_parquet

DATA = Path(os.environ.get("WORKBENCH_DATA", REPOSITORY.parent / "shared/data"))
REAL_LINES = DATA / "en_subtitle_lines/en_tv_subtitles.txt.gz"
SIZES = [500_000, 1_000_000, 2_500_000, 5_000_000]


def main(sizes: list[int]) -> None:
    stages = ("read", "pairs", "filter", "vocabulary", "count")
    origin = "the development data" if REAL_LINES.exists() else "the generated corpus"
    print(f"Lines of {origin}, {os.cpu_count()} cores.\n")
    head("lines", *stages, "total", "µs per line", "peak memory")
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            measured = [python(*command) for command in commands(Path(name), size)]
        cells = [f"{stage.seconds:.1f} s, {stage.peak:.0f} MiB" for stage in measured]
        total, peak = sum(stage.seconds for stage in measured), max(stage.peak for stage in measured)
        row(f"{size:,}", *cells, f"{total:.1f} s", f"{1e6 * total / size:.1f}", f"{peak:.0f} MiB")


def commands(folder: Path, size: int) -> Iterator[list[str]]:
    """The command line of each stage; what a stage needs is there when its command is taken."""
    raw = folder / "lines.txt"
    with open(raw, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines(size))
    write_json(folder / "manifest.json", [{"name": raw.name, "sha256": sha256(raw), "bytes": raw.stat().st_size}])
    source = Source(reader="opensubtitles", label="benchmark", licence="", bundles=[[RemoteFile(name=raw.name)]])
    splits = {split: folder / f"{split}.parquet" for split in ("train", "validation", "test")}
    own = [argument for split, path in splits.items() for argument in (f"--{split}", path)]
    dialogues, tokens = folder / "dialogues.parquet", folder / "tokens.parquet"
    yield command("extract_dialogues", "--source", source.model_dump_json(), "--manifest", folder / "manifest.json",
                  "--out", dialogues)  # fmt: skip
    yield command("extract_pairs", "--dialogues", dialogues, *own, "--tokens", tokens)
    invent_vectors(tokens, folder / "vectors.parquet")
    kept = [argument for split in splits for argument in (f"--out-{split}", folder / f"kept-{split}.parquet")]
    yield command("filter_pairs", *own, "--tokens", tokens, "--vectors", folder / "vectors.parquet",
                  "--settings", Filtering().model_dump_json(), *kept, "--report", folder / "report.json")  # fmt: skip
    yield command("build_vocabulary", "--train", folder / "kept-train.parquet",
                  "--vectors", folder / "vectors.parquet", "--out", folder / "vocabulary.parquet")  # fmt: skip
    yield command("count_pairs", "--corpus", "benchmark", "--pairs", *splits.values(),
                  "--vocabulary", folder / "vocabulary.parquet", "--out", folder / "counts.json")  # fmt: skip


def command(script: str, *arguments: str | Path) -> list[str]:
    return [str(REPOSITORY / f"workflow/scripts/{script}.py"), *map(str, arguments)]


def lines(size: int) -> Iterator[str]:
    """``size`` utterances and the empty lines between films."""
    rng = random.Random(1)
    original = original_lines()
    words = [word for line in original for word in line.split()]
    left = size
    for repetition in itertools.count():
        for line in original:
            if line and left == 0:
                return
            left -= bool(line)
            yield exchanged(line, words, rng) if repetition else line
        yield ""


def exchanged(line: str, words: list[str], rng: random.Random) -> str:
    """The line with one word taken from elsewhere; frequent words come in more often, as they do in text."""
    own = line.split()
    if own:
        own[int(rng.random() * len(own))] = words[int(rng.random() * len(words))]
    return " ".join(own)


def original_lines() -> list[str]:
    if REAL_LINES.exists():
        with gzip.open(REAL_LINES, "rt", encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    rows = generate(Synthetic(dialogues=20_000)).to_pylist()
    return [line for row in rows for line in (([] if row["turn"] else [""]) + [row["text"]])]


def invent_vectors(tokens: Path, out: Path) -> None:
    """Vectors for tokens that occur three times or more: what a large GloVe file would cover of subtitles."""
    counted = read_parquet(tokens, TOKENS)
    known = counted.filter(np.asarray(counted["count"]) >= 3)["token"]
    values = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(len(known), np.float32)), 1)
    write_parquet(out, pa.table({"token": known, "vector": values}), vectors(1))


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or SIZES)
