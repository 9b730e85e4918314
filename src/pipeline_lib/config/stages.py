"""The places of what a table of costs shows: a benchmark file of Snakemake's for each stage, two files of training."""

from collections.abc import Mapping

from pipeline_lib.config.layout import Stages
from pipeline_lib.config.papers import ScoreTable, whole_of
from pipeline_lib.config.run import Config

VECTORS = {"file": "select_vectors", "native": "train_vectors", "package": "train_vectors_with_package"}
# of the rules whose measurements a table of costs shows; every path has the rule's own wildcards in it
MEASURED = (
    "extract_dialogues",
    "extract_examples",
    *VECTORS.values(),
    "filter_examples",
    "encode_examples",
    "cluster_examples",
    "compare_systems",
    "train_model",
    "generate_responses",
    "score_responses",
)


def stages_of(config: Config, table: str, measured: Mapping[str, str], model: str) -> Stages:
    """Return where the measurements of a table of costs are.

    Args:
        config: the configuration of the run.
        table: name of the table.
        measured: benchmark file of each rule of `MEASURED`.
        model: folder of a trained model, with ``{corpus}``, ``{system}`` and ``{seed}`` in it.
    """
    shown = [spec for name in config.reported if isinstance(spec := config.tables[name], ScoreTable)]
    scored = list(dict.fromkeys(split for spec in shown for split in spec.read_splits))
    answered = list(dict.fromkeys(map(whole_of, scored)))
    return Stages(
        shared={corpus: _shared(config, table, corpus, measured) for corpus in config.corpora_of(table)},
        trained={corpus: config.models_of(corpus, config.systems_of(table)) for corpus in config.corpora_of(table)},
        of_systems={"training": measured["train_model"]}
        | {f"responses, {split}": measured["generate_responses"].replace("{split}", split) for split in answered}
        | {f"scores, {split}": measured["score_responses"].replace("{split}", split) for split in scored},
        summary=f"{model}/summary.json",
        history=f"{model}/history.jsonl",
    )


def _shared(config: Config, table: str, corpus: str, measured: Mapping[str, str]) -> dict[str, str]:
    """List the stages that the systems of a table share on one corpus, in the order of the work."""
    trained = [name for name in config.systems_of(table) if config.systems[name].trained]

    def file(rule: str, **wildcards: str) -> str:
        return measured[rule].format(corpus=corpus, **wildcards)

    stages = {
        "dialogues": file("extract_dialogues"),
        "examples": file("extract_examples"),
    }
    if (source := config.for_corpus(corpus).embeddings.source) != "none":
        stages["word vectors"] = file(VECTORS[source])
    stages["filtering"] = file("filter_examples")
    for units in dict.fromkeys(config.units_of(corpus, name) for name in trained):
        stages[f"encoding, {units}"] = file("encode_examples", units=units, split="train")
    for group in dict.fromkeys(config.systems[name].reads.get("group") for name in trained):
        if group:
            stage, _, method = group.partition("/")
            stages[f"{stage}, {method}"] = file("cluster_examples", method=method)
    for name in config.tested_on(corpus):
        stages[f"paired tests, {name}"] = file("compare_systems", table=name)
    return stages
