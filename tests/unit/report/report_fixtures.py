"""A run small enough to check by hand, with texts that would do harm on a page that takes them for markup."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline_lib.config.run import Config
from pipeline_lib.files.formats import write_json, write_parquet, write_text
from pipeline_lib.report.page import Contents
from pipeline_lib.runs.manifest import describe
from pipeline_lib.schemas.responses import RESPONSES

HOSTILE = '</script><script>window.ran = 1</script><img src="https://example.org/x.png" onerror="window.ran = 1">'
LABELS = {"human": "Human reference", "seq2seq": "Seq2Seq", "sepacvae": "Sepa<b>CVAE"}
N = 300  # contexts; every fifth is "hello", with references of its own
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 150"><circle cx="9" cy="9" r="9"/></svg>'


def small_config() -> Config:
    models = {"human": "baseline:human", "seq2seq": "a:B", "sepacvae": "a:C"}
    source = {"reader": "synthetic", "label": "Embedded", "licence": HOSTILE, "synthetic": {}}
    systems = {name: {"label": LABELS[name], "model": model} for name, model in models.items()}
    return Config.model_validate(
        {"corpora": ["embedded"], "seeds": [1], "sources": {"embedded": source}, "systems": systems}
    )


def responses(system: str, selection: str, seed: int = 1, samples: int = 1) -> pa.Table:
    """Items of one system, as `score_responses` writes them; texts and figures follow from the place in the table."""
    draw = np.random.default_rng([seed, len(system), len(selection)])
    size = N * samples
    example = np.repeat(np.arange(N), samples)
    words = np.array(["well", "no", "good", "train", "word\u2028line", "naïve"])
    texts = [" ".join(draw.choice(words, 1 + i % 7)) for i in range(size)]
    if system == "seq2seq":
        texts[0], texts[1] = HOSTILE, ""
    columns = {
        "example_id": pa.array(100 + example),
        "sample": pa.array(np.tile(np.arange(samples), N), pa.int16()),
        "selection": pa.array([selection] * size),
        "context": pa.array(["hello" if i % 5 == 0 else f"what about {i} ?" for i in example]),
        "reference": pa.array([f"answer {i % 3}" for i in example]),
        "response": pa.array(texts),
        "group": pa.array(example % 4, pa.int16()) if system == "sepacvae" else pa.nulls(size, pa.int16()),
        "label": pa.array(example % 8, pa.int32()),
        "tokens": pa.array(np.full(size, 4), pa.int32()),
        **{name: pa.array(draw.gamma(2, 2, size), pa.float32()) for name in ("nll", "kl", "bound", "nll_importance")},
    }
    table = pa.table([columns[field.name] for field in RESPONSES], RESPONSES)
    for metric in ("BLEU-1", "BLEU-2", "BLEU-1|current|onehot", "coherence"):
        table = table.append_column(metric, pa.array(np.round(draw.random(size), 6)))
    return table


def write_responses(folder: Path, system: str, split: str, table: pa.Table) -> Path:
    path = folder / f"items/embedded/{system}/seed1/{split}.parquet"
    about = {"corpus": "embedded", "split": split, "system": system, "seed": "1"}
    write_parquet(path, table, table.schema, about)
    return path


def small_run(folder: Path) -> Contents:
    """Two splits, Tables 2 and 3 made of the items, one figure, a caption."""
    write_json(folder / "manifest.json", describe(small_config(), {"train_model seq2seq": "0" * 16}, [], []))
    items, tables = [], []
    for split, name in (("test", "table3"), ("validation", "table2")):
        rows = []
        for system, label in LABELS.items():
            kinds = {"human": ["none"], "seq2seq": ["none"], "sepacvae": ["context"]}[system]
            if system == "sepacvae" and split == "validation":
                kinds = ["oracle", "context"]
            own = [responses(system, selection) for selection in kinds]
            items.append(write_responses(folder, system, split, pa.concat_tables(own)))
            for selection, table in zip(kinds, own, strict=True):
                rows.append(_row(system, selection, label, table))
        tables.append(_table(folder / f"tables/{name}.csv", rows))
    for kind, text in ((".svg", SVG), (".png", "PNG"), (".csv", "x\n1\n")):
        write_text(folder / f"figures/embedded/latent_map{kind}", text)
    write_text(folder / "captions/latent_map.rst", "Posterior z on {{ snakemake.wildcards.corpus }}, *by group*.")
    return Contents(
        folder / "manifest.json",
        list(reversed(tables)),
        [folder / "figures/embedded/latent_map.svg"],
        items,
        [folder / "captions/latent_map.rst"],
    )


def _row(system: str, selection: str, label: str, items: pa.Table) -> dict[str, object]:
    bleu = float(np.mean(items["BLEU-1"].to_numpy()))
    parts = {"sd": 0.01, "n": 1, "low": bleu - 0.1, "high": bleu + 0.1, "published": 0.4, "difference": bleu - 0.4}
    suffix = {"oracle": " (oracle)"}.get(selection, "")
    row: dict[str, object] = {"corpus": "embedded", "system": system, "label": label + suffix, "selection": selection}
    row |= {"collapsed": int(system == "sepacvae"), "BLEU-1": bleu}
    row |= {f"BLEU-1 {part}": value for part, value in parts.items()}
    row |= {"BLEU-1 lead": "real" if system == "seq2seq" else ""}
    return row | {"ppl": "" if system == "human" else 31.25, "ppl sd": "", "ppl published": "", "ppl lead": ""}


def _table(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    number = path.stem.removeprefix("table")
    notes = "- Bold: the best \\<b\\>of all.\n- BLEU-1: `BLEU-1|level:sentence|v:1`\n"
    write_text(path.with_suffix(".md"), f"# Table {number}. Responses\n\n| a |\n|---|\n\n{notes}")
    return path
