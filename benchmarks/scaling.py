"""Time and peak memory of every stage before training, against the number of examples: table, plot and slopes.

    python benchmarks/scaling.py [--examples 100000 500000 …] [--stages count_examples …] [--out build/scaling]

Every stage runs as the workflow runs it, as a command line in processes of its own, on two threads. Examples are those
of consecutive subtitle lines, of the development data where they are at hand (``WORKBENCH_DATA``), else of the
generated corpus; from the second repetition on, one word is exchanged in `EXCHANGED` of the lines. Vectors come from an
invented file of GloVe 6B's size (400,000 rows of 300 numbers).

Writes scaling.csv, .md and .svg; rows that scaling.csv has for other sizes or stages are kept, so that sizes can be
measured one by one.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")  # what the workflow gives to these stages; DuckDB and Arrow follow it

import argparse
import csv
import gzip
import itertools
import random
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from measure import REPOSITORY, head, python, row

from pipeline_lib.clusters.assign import METHODS
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.config.corpora import CorpusFile, Source, Synthetic
from pipeline_lib.config.embeddings import GloveTraining
from pipeline_lib.config.filtering import Filtering
from pipeline_lib.config.keywords import Keywords
from pipeline_lib.config.settings import Settings
from pipeline_lib.corpora.synthetic import generate
from pipeline_lib.figures import style
from pipeline_lib.files.checksums import sha256
from pipeline_lib.files.formats import read_json, read_parquet, write_json
from pipeline_lib.schemas.dialogues import SPLITS
from pipeline_lib.schemas.tokens import TOKENS

DATA = Path(os.environ.get("WORKBENCH_DATA", REPOSITORY.parent / "shared/data"))
REAL_LINES = DATA / "en_subtitle_lines/en_tv_subtitles.txt.gz"
EXCHANGED = 0.9  # share of repeated lines that differ from the original in one word
ROWS, DIMENSION = 400_000, 300  # of GloVe 6B
DIFFERENT_ROWS = 5_000  # numbers are invented for so many and repeat
LEAST_COUNT = 3  # tokens that occur less often are not in the invented file

# part of the table: its stages, and what they may take at five million examples
PARTS = {
    "before training": (20, 4),  # minutes together, GiB each
    "clustering": (60, 8),
    "own vectors": (None, 4),  # instead of select_vectors
}
Measured: TypeAlias = dict[str, str]  # a row of scaling.csv
Command: TypeAlias = list[str | Path]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, nargs="+", default=[50_000, 100_000])
    parser.add_argument("--stages", nargs="+", default=[], help="only these rules; what they need must be in --work")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build/scaling")
    parser.add_argument("--work", type=Path, help="keep what the stages write here, for --stages")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    measured = read_rows(given.out / "scaling.csv")
    head("examples", "stage", "s", "processor s", "peak MiB")
    for size in given.examples:
        with tempfile.TemporaryDirectory() as temporary:
            folder = (given.work or Path(temporary)) / str(size)
            for part, stage, commands in stages(folder, size):
                if given.stages and stage.split(",")[0] not in given.stages:
                    continue
                runs = [python(*command) for command in commands]
                values = {
                    "seconds": f"{sum(run.seconds for run in runs):.2f}",
                    "processor_seconds": f"{sum(run.processor for run in runs):.2f}",
                    "peak_mib": f"{max(run.peak for run in runs):.0f}",
                }
                row(f"{size:,}", stage, *values.values())
                measured[size, stage] = {"examples": str(size), "part": part, "stage": stage} | values
                write_rows(given.out / "scaling.csv", list(measured.values()))
            describe(folder)
    table = as_table(list(measured.values()))
    (given.out / "scaling.md").write_text(table, encoding="utf-8")
    print("\n" + table)
    draw(list(measured.values()), given.out / "scaling.svg")


# --- stages ----------------------------------------------------------------------------------------------------------


def stages(folder: Path, size: int) -> Iterator[tuple[str, str, list[Command]]]:
    """Part, name and command lines of each stage; what a stage needs is there when it is taken."""
    folder.mkdir(parents=True, exist_ok=True)
    dialogues, tokens, vectors = (folder / f"{name}.parquet" for name in ("dialogues", "tokens", "vectors"))
    examples = {split: folder / f"examples/{split}.parquet" for split in SPLITS}
    kept = {split: folder / f"filtered/{split}.parquet" for split in SPLITS}
    keywords = {split: folder / f"keywords/{split}.parquet" for split in SPLITS}
    vocabulary, glove = folder / "words.parquet", folder / "glove.txt"
    windows, report = folder / "windows.json", folder / "report.json"

    write_lines(folder, size)
    bundles, shares = [[CorpusFile(name="lines.txt")]], {"validation": 0.02, "test": 0.02}
    source = Source(reader="opensubtitles", label="benchmark", licence="", bundles=bundles, splits=shares)
    before = "before training"
    read = {"source": source, "manifest": folder / "manifest.json", "out": dialogues}
    yield before, "extract_dialogues", [command("extract_dialogues", read)]
    yield (
        before,
        "extract_examples",
        [
            command(
                "extract_examples",
                {"dialogues": dialogues, "tokens": tokens, "report": windows}
                | {f"out-{split}": path for split, path in examples.items()},
            )
        ],
    )
    write_vectors(tokens, glove)
    yield before, "select_vectors", [command("select_vectors", {"file": glove, "tokens": tokens, "out": vectors})]
    known = {"tokens": tokens, "windows": windows, "vectors": vectors, "settings": Filtering(), "report": report}
    outputs = {f"out-{split}": path for split, path in kept.items()}
    yield before, "filter_examples", [command("filter_examples", examples | known | outputs)]
    numbered = {"train": kept["train"], "tokens": [], "vectors": vectors, "settings": Filtering(), "out": vocabulary}
    yield before, "build_vocabulary", [command("build_vocabulary", numbered)]
    counted = {"corpus": "benchmark", "examples": [*kept.values()], "vocabulary": vocabulary, "report": report}
    yield before, "count_examples", [command("count_examples", counted | {"out": folder / "counts.json"})]
    shared = {"train": kept["train"], "settings": Keywords(), "threads": 2}
    each = ({"examples": kept[split], "out": keywords[split]} for split in SPLITS)
    yield before, "extract_keywords", [command("extract_keywords", shared | own) for own in each]
    encoded = {"examples": kept["train"], "vocabulary": vocabulary, "out": folder / "train.arrow"}
    yield before, "encode_examples", [command("encode_examples", encoded)]
    for words, method in itertools.product(("all", "keywords"), METHODS):
        grouped = {"keywords": [*keywords.values()], "vectors": vectors, "method": method}
        own = {"settings": Clustering.model_validate({"words": words}), "out": folder / f"{method}-{words}.parquet"}
        yield "clustering", f"cluster_examples, {method}, {words}", [command("cluster_examples", kept | grouped | own)]
    trained = {"train": examples["train"], "tokens": tokens, "settings": GloveTraining(min_count=LEAST_COUNT)}
    yield "own vectors", "train_vectors", [command("train_vectors", trained | {"out": folder / "native.parquet"})]


def command(script: str, options: Mapping[str, Any]) -> Command:
    """The command line of a rule's script; settings travel as JSON."""
    words: Command = [REPOSITORY / f"workflow/scripts/{script}.py"]
    for name, value in options.items():
        text = value.model_dump_json() if isinstance(value, Settings) else value
        words += [f"--{name}", *(map(str, text) if isinstance(text, list) else [str(text)])]
    return words


# --- data ------------------------------------------------------------------------------------------------------------


def write_lines(folder: Path, size: int) -> None:
    """The corpus as a file of lines, and the manifest that its download would have left."""
    path = folder / "lines.txt"
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines(size))
    write_json(folder / "manifest.json", [{"name": path.name, "sha256": sha256(path), "bytes": path.stat().st_size}])


def lines(size: int) -> Iterator[str]:
    """Utterances that make ``size`` examples, and the empty lines between films."""
    generator = random.Random(1)
    original = original_lines()
    words = [word for line in original for word in line.split()]
    made, first = 0, True
    for repetition in itertools.count():
        for line in [*original, ""]:
            yield exchanged(line, words, generator) if repetition else line
            made += bool(line) and not first
            first = not line
            if made == size:
                return


def exchanged(line: str, words: list[str], generator: random.Random) -> str:
    """The line with one word taken from elsewhere; frequent words come in more often, as they do in text."""
    own = line.split()
    if own and generator.random() < EXCHANGED:
        own[int(generator.random() * len(own))] = words[int(generator.random() * len(words))]
    return " ".join(own)


def original_lines() -> list[str]:
    """Lines with an empty one between films."""
    if REAL_LINES.exists():
        with gzip.open(REAL_LINES, "rt", encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    rows = generate(Synthetic(dialogues=20_000)).to_pylist()
    return [line for row in rows for line in (([] if row["turn"] else [""]) + [row["text"]])]


def write_vectors(tokens: Path, out: Path) -> None:
    """A GloVe file that knows the tokens of the corpus, in groups of like vectors, and many that it does not have."""
    counted = read_parquet(tokens, TOKENS)
    own = counted.filter(np.asarray(counted["count"]) >= LEAST_COUNT)["token"].to_pylist()[:ROWS]
    generator = np.random.default_rng(0)
    topics = np.repeat(generator.normal(size=(8, DIMENSION)), DIFFERENT_ROWS // 8, axis=0)
    numbers = [" ".join(f"{x:.5f}" for x in row) for row in topics + generator.normal(size=(DIFFERENT_ROWS, DIMENSION))]
    with open(out, "w", encoding="utf-8") as file:
        for index in range(ROWS):
            token = own[index] if index < len(own) else f"unseen{index}"
            file.write(f"{token} {numbers[index % DIFFERENT_ROWS]}\n")


def describe(folder: Path) -> None:
    """How far the perturbed corpus is from repeating itself."""
    if (folder / "counts.json").exists():
        train = read_json(folder / "counts.json")["splits"]["train"]
        print(
            f"training split: {train['examples']:,} examples, {train['distinct_pairs']:,} different, "
            f"{train['contexts']:,} contexts of which {train['one_to_many_contexts'] / train['contexts']:.1%} have "
            f"several responses; {read_json(folder / 'counts.json')['vocabulary']:,} words"
        )


# --- what is shown ---------------------------------------------------------------------------------------------------


def read_rows(path: Path) -> dict[tuple[int, str], Measured]:
    if not path.exists():
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        return {(int(own["examples"]), own["stage"]): own for own in csv.DictReader(file)}


def write_rows(path: Path, rows: list[Measured]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda own: int(own["examples"])))


def slope(sizes: list[int], values: list[float]) -> str:
    """Of the logarithms: 1 is linear; none for a single size."""
    return f"{np.polyfit(np.log(sizes), np.log(values), 1)[0]:.2f}" if len(sizes) > 1 else ""


def curves(rows: list[Measured]) -> dict[tuple[str, str], tuple[list[int], list[float], list[float]]]:
    """(part, stage) -> sizes, seconds and MiB, by size; each part ends with all of its stages together."""
    found: dict[tuple[str, str], dict[int, tuple[float, float]]] = {}
    for part in PARTS:
        own = [one for one in rows if one["part"] == part]
        names = list(dict.fromkeys(one["stage"] for one in own))
        for one in own:
            found.setdefault((part, one["stage"]), {})[int(one["examples"])] = (
                float(one["seconds"]),
                float(one["peak_mib"]),
            )
        complete = [
            size
            for size in sorted({int(one["examples"]) for one in own})
            if all(size in found[part, name] for name in names)
        ]
        if len(names) > 1 and complete:
            found[part, "together"] = {
                size: (
                    sum(found[part, name][size][0] for name in names),
                    max(found[part, name][size][1] for name in names),
                )
                for size in complete
            }
    return {
        key: (sorted(own), [own[size][0] for size in sorted(own)], [own[size][1] for size in sorted(own)])
        for key, own in found.items()
    }


def as_table(rows: list[Measured]) -> str:
    sizes = sorted({int(own["examples"]) for own in rows})
    lines = [
        "| stage | " + " | ".join(f"{size / 1e6:g} M" for size in sizes) + " | slope |",
        "| :-- " + "| --: " * (len(sizes) + 1) + "|",
    ]
    for (part, stage), (own, seconds, peaks) in curves(rows).items():
        cells = dict(
            zip(own, (f"{s:,.1f} s, {p / 1024:.2f} GiB" for s, p in zip(seconds, peaks, strict=True)), strict=True)
        )
        name = f"**{part}, together**" if stage == "together" else stage
        lines.append(f"| {name} | " + " | ".join(cells.get(size, "") for size in sizes) + f" | {slope(own, seconds)} |")
    return "\n".join(lines) + "\n"


def draw(rows: list[Measured], out: Path) -> None:
    """Seconds and memory against examples, all axes logarithmic, with the slope of each stage's time in the legend."""
    sizes = sorted({int(own["examples"]) for own in rows})
    with style.drawing():
        figure = style.new_figure(style.PAGE, 6.4)
        panels = figure.subplots(2, 2, sharex=True, sharey="row")
        for (part, stage), (own, seconds, peaks) in curves(rows).items():
            time, memory = panels[:, int(part != "before training")]
            number = len(time.lines)
            look: dict[str, Any] = {"color": style.PALETTE[number % 8], "marker": style.MARKERS[number % 8]}
            if stage == "together":
                look = {"color": style.GREY, "linewidth": 2.5}
            time.plot(own, seconds, label=f"{stage} ({slope(own, seconds)})".removesuffix(" ()"), **look)
            memory.plot(own, [peak / 1024 for peak in peaks], **look)
        for column, part in enumerate(("before training", "clustering")):
            time, memory = panels[:, column]
            minutes, gibibytes = PARTS[part]
            for axes, bound, text in ((time, 60 * minutes, f"{minutes} min"), (memory, gibibytes, f"{gibibytes} GiB")):
                axes.axhline(bound, color=style.VERMILLION, linewidth=0.8, linestyle="--")
                axes.annotate(f"bound at 5 M: {text}", (sizes[0], bound), fontsize=7, va="bottom")
            time.set_title("before training" if column == 0 else "clustering, and vectors trained here")
            memory.set_xlabel("examples, millions")
            memory.legend(
                *time.get_legend_handles_labels(),
                loc="upper center",
                bbox_to_anchor=(0.5, -0.25),
                title="stage (slope of time)",
            )
        for axes in panels.flat:
            axes.set_xscale("log")
            axes.set_xticks(sizes, [f"{size / 1e6:g}" for size in sizes])
            axes.minorticks_off()
            style.logarithmic(axes)
        panels[0, 0].set_ylabel("wall time, s")
        panels[1, 0].set_ylabel("peak memory, GiB")
        figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main()
