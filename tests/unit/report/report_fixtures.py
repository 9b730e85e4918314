"""A run small enough to check by hand, with texts that would do harm on a page that takes them for markup."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline_lib.config.run import Config
from pipeline_lib.files.formats import write_json, write_parquet, write_text
from pipeline_lib.report.page import Contents
from pipeline_lib.runs.manifest import describe
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.tables.cells import Block, Cell, Column, Row, Section, Table
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.published import PublishedValue

HOSTILE = '</script><script>window.ran = 1</script><img src="https://example.org/x.png" onerror="window.ran = 1">'
LABELS = {"human": "Human reference", "seq2seq": "Seq2Seq", "sepacvae": "Sepa<b>CVAE"}
N = 300  # contexts; every fifth is "hello", with references of its own
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 150"><circle cx="9" cy="9" r="9"/></svg>'

FIGURE = {"kind": "latent_map", "number": "5", "title": "Posterior <z>", "caption": "Posterior z, *by group*."}


def small_config() -> Config:
    sorts = {"human": {"baseline": "human"}, "seq2seq": {"model": "a:B"}, "sepacvae": {"model": "a:C"}}
    source = {"reader": "synthetic", "label": "Embedded", "licence": HOSTILE, "synthetic": {}}
    scores = {"kind": "scores", "title": "Scores", "columns": ["BLEU-1"]}
    return Config.model_validate(
        {
            "paper": "own",
            "preset": "small",
            "title": "A paper",
            "citation": "Somebody (2020)",
            "corpora": ["embedded"],
            "seeds": [1],
            "sources": {"embedded": source},
            "systems": {name: {"label": LABELS[name], **sort} for name, sort in sorts.items()},
            "tables": {
                "table2": scores | {"splits": ["validation"], "as": {"BLEU-1": "B1"}},
                "table3": scores | {"splits": ["test"]},
            },
            "analyses": {"latents": {"kind": "latents"}},
            "figures": {"latent_map": FIGURE},
        }
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
        **{
            name: pa.nulls(size, pa.float32())
            for name in ("nll_end", "group_nats", "context_use", "z_use", "mutual_information")
        },
    }
    table = pa.table([columns[field.name] for field in RESPONSES], RESPONSES)
    for metric in ("BLEU-1", "BLEU-2", "BLEU-1|current|onehot", "coherence"):
        table = table.append_column(metric, pa.array(np.round(draw.random(size), 6)))
    return table


def sentences_of(table: pa.Table) -> pa.Table:
    """Return responses as those of a run on sentences: without contexts and groups."""
    new = {"context": pa.array([""] * len(table)), "group": pa.nulls(len(table), table["group"].type)}
    for name, values in new.items():
        place = table.column_names.index(name)
        table = table.set_column(place, table.field(place), values)
    return table


def write_responses(folder: Path, system: str, split: str, table: pa.Table) -> Path:
    path = folder / f"items/embedded/{system}/seed1/{split}.parquet"
    about = {"corpus": "embedded", "split": split, "system": system, "seed": "1"}
    write_parquet(path, table, table.schema, about)
    return path


def small_run(folder: Path, alone: bool = False) -> Contents:
    """Two splits, Tables 2 and 3 made of the items, one figure, a caption.

    Args:
        alone: the items are sentences without contexts.
    """
    write_json(folder / "manifest.json", describe(small_config(), {"train_model seq2seq": "0" * 16}, [], []))
    items, tables = [], []
    for split, name in (("test", "table3"), ("validation", "table2")):
        rows = []
        for system, label in LABELS.items():
            kinds = {"human": ["none"], "seq2seq": ["none"], "sepacvae": ["context"]}[system]
            if system == "sepacvae" and split == "validation":
                kinds = ["oracle", "context"]
            own = [responses(system, selection) for selection in kinds]
            if alone:
                own = [sentences_of(table) for table in own]
            items.append(write_responses(folder, system, split, pa.concat_tables(own)))
            for selection, table in zip(kinds, own, strict=True):
                rows.append(_row(system, selection, label, table))
        tables.append(_table(folder / f"tables/{name}.json", split, rows))
    for kind, text in ((".svg", SVG), (".png", "PNG"), (".csv", "x\n1\n")):
        write_text(folder / f"figures/embedded/latent_map{kind}", text)
    figure = folder / "figures/embedded/latent_map.svg"
    return Contents(folder / "manifest.json", list(reversed(tables)), [figure], items)


def _row(system: str, selection: str, label: str, items: pa.Table) -> Row:
    bleu = float(np.mean(items["BLEU-1"].to_numpy()))
    lead = "systems" if system == "seq2seq" else ""
    cells = {
        "BLEU-1": Cell(bleu, 0.01, 1, bleu - 0.1, bleu + 0.1, PublishedValue(0.4, "0.4"), lead),  # type: ignore[arg-type]
        "ppl": Cell() if system == "human" else Cell(31.25, published=PublishedValue(None, ">600")),
    }
    suffix = {"oracle": " (oracle)"}.get(selection, "")
    caveats = {"collapsed": 1} if system == "sepacvae" else {}
    return Row("embedded", "Embedded", label + suffix, cells, system, selection, caveats)


def _table(path: Path, split: str, rows: list[Row]) -> Path:
    columns = [
        Column("BLEU-1", 3, "BLEU-1", split, "Smoothed", "higher", {"Embedded": "BLEU-1|level:sentence|v:1"}),
        Column("ppl", 1, "ppl", split, "Perplexity", "lower"),
    ]
    number = path.stem.removeprefix("table")
    notes = ["Bold: the best <b>of all."]
    table = Table(path.stem, "scores", number, "Responses", columns=columns, rows=rows, notes=notes)
    return save(table, path)


def save(table: Table, path: Path) -> Path:
    """Write a table in its four forms; ``path`` is that of the .json."""
    write_table(table, *(path.with_suffix(f".{kind}") for kind in ("csv", "md", "tex")), path)
    return path


def table_of_texts() -> Table:
    """One case whose texts would do harm on a page that takes them for markup."""
    lines = [["", "near in test"], ["context", "who <i> ?"], ["Seq2Seq", HOSTILE]]
    example = {"corpus": "embedded", "split": "test", "example": 104}
    block = Block("Case 1: who ?", lines, "2 responses", ["me", "<b>you</b>"], [example])
    return Table("table5", "texts", "5", "Cases", sections=[Section("Embedded", [block], "1 case.")], is_prose=True)
