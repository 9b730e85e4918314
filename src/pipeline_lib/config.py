"""The typed form of ``config.yaml``: one class per section, strict, every unknown key an error that names the nearest.

A stage is given its section as JSON on the command line and reads it back with `Settings.model_validate_json`; nothing
else of the configuration reaches it, so Snakemake sees exactly what a stage depends on.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline_lib.errors import PipelineError, nearest

S = TypeVar("S", bound="Settings")
Positive = Annotated[int, Field(gt=0, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]  # what every generator takes
Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]  # becomes part of a path


def _no_option(value: str) -> str:
    if value.startswith("-") or any(not character.isprintable() for character in value):
        raise ValueError("a path starts with no dash (write ./-name) and holds no control character")
    return value


def _no_wildcard(value: str) -> str:
    if "{" in value or "}" in value:
        raise ValueError("braces are wildcards to Snakemake; choose a folder without them")
    return value


def _stays(value: str) -> str:
    if value in (".", "..", "manifest.json"):
        raise ValueError("this names no file of a source; manifest.json is written beside them")
    return value


AnyPath = Annotated[str, AfterValidator(_no_option)]
Folder = Annotated[AnyPath, AfterValidator(_no_wildcard)]
FileName = Annotated[Folder, Field(pattern=r"^[^/\\]+$"), AfterValidator(_stays)]


# sections that mean something for one corpus alone; the rest describes the run or is given for each system
OVERRIDABLE = ("filtering", "embeddings", "keywords", "clustering", "network", "training", "decoding", "metrics")


class Settings(BaseModel):
    """Base of every section: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# --- corpora -------------------------------------------------------------------------------------------------------


class RemoteFile(Settings):
    """One file of a source: where it may be had and how to know that it is the right one."""

    name: FileName = Field(description="file name in the mirror and in results/raw")
    urls: list[str] = Field(default=[], description="tried in order")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="hex digest; null: not verified")


class Synthetic(Settings):
    """The generated corpus: dialogues from hand-written topics and templates with known latent groups."""

    dialogues: Positive = Field(default=1200, description="how many, over all splits")
    turns: tuple[Positive, Positive] = Field(default=(4, 8), description="fewest and most turns of a dialogue")
    one_to_many: Fraction = Field(default=0.5, description="how often a context gets a response of another group")
    many_to_one: Fraction = Field(
        default=0.2, description="how often a response is a generic one that fits any context"
    )
    groups: Positive = Field(default=8, le=8, description="latent groups of responses")
    validation: Fraction = Field(default=0.1, description="share of dialogues")
    test: Fraction = Field(default=0.1, description="share of dialogues")
    seed: Seed = Field(default=1, description="of the generator")

    @field_validator("turns")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 2 <= value[0] <= value[1]:
            raise ValueError(f"a dialogue has at least 2 turns and fewest ({value[0]}) is at most most ({value[1]})")
        return value


class Source(Settings):
    """A corpus: a reader, its files or its generator, and what differs for it from the rest of the configuration."""

    reader: Literal["synthetic", "dailydialog", "opensubtitles", "numbered", "table"] = Field(
        description="synthetic: generated; dailydialog: the release's zips or text files; opensubtitles: OPUS plain "
        "text, one utterance a line, an empty line between films; numbered: `N query<TAB>response`, N restarts with "
        "each film; table: CSV, JSONL or Parquet with columns dialogue id, turn, text[, speaker][, split]"
    )
    label: str = Field(description="name in tables; published figures are matched by it")
    licence: str = Field(description="of the text, for the reader of the tables")
    mirror: AnyPath | None = Field(default=None, description="local folder that is tried before any URL")
    bundles: list[list[RemoteFile]] = Field(
        default=[], description="alternative sets of files; the first one that can be completed is taken"
    )
    columns: dict[Literal["dialogue", "turn", "text", "speaker", "split"], str] = Field(
        default={"dialogue": "dialogue", "turn": "turn", "text": "text"}, description="column names of a table"
    )
    splits: dict[Literal["validation", "test"], Fraction] = Field(
        default={"validation": 0.05, "test": 0.05},
        description="shares of dialogues held out where the corpus has no official splits",
    )
    split_seed: Seed = Field(default=1, description="decides which dialogues are held out")
    synthetic: Synthetic | None = Field(default=None, description="for reader `synthetic`: what is generated")
    override: dict[str, Any] = Field(
        default={}, description="sections (filtering, training, ...) and values of theirs that differ for this corpus"
    )

    def content(self) -> "Source":
        """What decides the dialogues: files by name and checksum, reader and splits, not where the files lie."""
        bundles = [[file.model_copy(update={"urls": []}) for file in bundle] for bundle in self.bundles]
        return self.model_copy(update={"mirror": None, "licence": "", "override": {}, "bundles": bundles})

    @field_validator("override")
    @classmethod
    def _only_sections(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in value:
            if key not in OVERRIDABLE:
                raise ValueError(f"{key!r} cannot differ between corpora; {nearest(key, list(OVERRIDABLE))}")
        return value

    @model_validator(mode="after")
    def _has_content(self) -> "Source":
        if self.reader == "synthetic" and self.synthetic is None:
            raise ValueError("reader 'synthetic' needs a `synthetic:` section")
        if self.reader != "synthetic" and not self.bundles:
            raise ValueError(f"reader {self.reader!r} needs `bundles:`, the files of the corpus")
        if sum(self.splits.values()) >= 1:
            raise ValueError("`splits:` hold out every dialogue; nothing is left to train on")
        return self


class Filtering(Settings):
    """Which pairs are kept, by length and by the GloVe token list."""

    unknown: Literal["drop_pair", "drop_token", "unk"] = Field(
        default="drop_pair", description="what to do with a token that has no vector"
    )
    context_length: tuple[Positive, Positive] = Field(default=(1, 25), description="fewest and most tokens")
    response_length: tuple[Positive, Positive] = Field(
        default=(1, 25), description="fewest and most tokens; paper-size window: context 7-12, response 1-12"
    )
    min_count: Positive = Field(default=1, description="training count below which a token counts as unknown")

    @field_validator("context_length", "response_length")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] > value[1]:
            raise ValueError(f"fewest ({value[0]}) is more than most ({value[1]})")
        return value


# --- vectors, keywords, clusters -----------------------------------------------------------------------------------


class GloveTraining(Settings):
    """GloVe (Pennington et al. 2014) trained on the training split."""

    dimension: Positive = Field(default=300, description="components of a vector")
    window: Positive = Field(default=10, description="tokens to either side that count as context")
    min_count: Positive = Field(default=1, description="training count below which a token gets no vector")
    epochs: Positive = Field(default=25, description="passes over the co-occurrence counts")
    learning_rate: float = Field(default=0.05, gt=0, description="initial step of AdaGrad")
    x_max: float = Field(default=100.0, gt=0, description="co-occurrence count from which the weight is 1")
    alpha: float = Field(default=0.75, gt=0, description="exponent of the weight below `x_max`")
    seed: Seed = Field(default=1, description="of the initial vectors and the order of updates")


class Embeddings(Settings):
    """Where word vectors come from."""

    source: Literal["file", "native", "package"] = Field(
        default="native",
        description="file: a Stanford GloVe file; native: trained here; package: trained by glove-python-binary in an "
        "environment of its own (needs Python 3.6-3.8)",
    )
    file: RemoteFile | None = Field(default=None, description="for source `file`: text, .gz or .zip")
    mirror: AnyPath | None = Field(default=None, description="local folder that is tried before any URL")
    dimension: Positive | None = Field(
        default=None, description="for source `file`: its width, checked; picks the file within glove.6B.zip"
    )
    training: GloveTraining = Field(default=GloveTraining(), description="for sources `native` and `package`")

    @model_validator(mode="after")
    def _has_file(self) -> "Embeddings":
        if self.source == "file" and self.file is None:
            raise ValueError("source 'file' needs `file:` with the name of a GloVe file")
        return self


class Keywords(Settings):
    """TextRank (Mihalcea and Tarau 2004)."""

    most: Positive = Field(default=5, description="keywords of one utterance at the most")


class Clustering(Settings):
    """Groups of training pairs, the knowledge of the K-, S- and A-CVAE systems."""

    groups: Annotated[int, Field(ge=2, le=32_767)] = Field(default=8, description="how many groups are formed")
    side: Literal["response", "context"] = Field(default="response", description="whose words are averaged")
    words: Literal["all", "keywords"] = Field(default="all", description="which words' vectors are averaged")
    minibatch_from: Positive = Field(default=100_000, description="pairs from which k-means works in mini-batches")
    exact_up_to: Positive = Field(
        default=10_000, description="pairs up to which spectral and agglomerative clustering see every pair"
    )
    landmarks: Positive = Field(default=1_000, description="landmarks of the large-scale forms")
    seed: Seed = Field(default=1, description="of the initial centroids and of drawn samples")


# --- systems and training ------------------------------------------------------------------------------------------


class Network(Settings):
    """Sizes shared by the systems of one table."""

    hidden: Positive = Field(default=300, description="GRU units per direction and decoder units")
    decoder_layers: Positive = Field(default=2, description="stacked GRU layers of the decoder")
    latent: Positive = Field(default=64, description="dimensions of the latent variable z")
    bow_hidden: Positive = Field(default=400, description="hidden units of the bag-of-words predictor")
    prior_hidden: Positive = Field(default=100, description="least width of the prior's hidden layer")
    initial_range: float = Field(default=0.08, gt=0, description="weights start uniform in +- this")


class Training(Settings):
    """One training job. Steps are optimiser steps."""

    batch_size: Positive = Field(default=64, description="pairs of one step")
    epochs: float = Field(default=50, gt=0, description="passes over the training split; may be a fraction")
    max_steps: Positive | None = Field(default=None, description="ends training earlier; null: epochs alone count")
    learning_rate: float = Field(default=1e-3, gt=0, description="of Adam")
    clip: float = Field(default=5.0, gt=0, description="global gradient norm")
    annealing_steps: Positive = Field(default=10_000, description="KL and relationship weight rise linearly to 1")
    validate_every: Positive = Field(default=100, description="steps between validations; the best is kept")
    select: Literal["reconstruction", "bound"] = Field(
        default="reconstruction",
        description="validation perplexity whose minimum selects the checkpoint (paper: reconstruction)",
    )
    validation_pairs: Positive | None = Field(
        default=None, description="pairs of the validation split used to select a checkpoint; null: all"
    )
    checkpoint_every: Positive = Field(default=500, description="steps between checkpoints for resumption")
    bucket_batches: Positive = Field(default=50, description="batches whose examples are sorted together by length")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: CUDA where there is one")
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        default="float32", description="tf32: matrix products on CUDA; bfloat16: autocast, weights stay float32"
    )


class System(Settings):
    """One row of the tables."""

    label: str = Field(description="name in tables; published figures are matched by it")
    model: str = Field(
        pattern=r"^[\w.]+:\w+$|^function:[\w.]+\.\w+$",
        description="module:Class of a model that is trained; function:module.name of a function that gives responses "
        "without training; or baseline:random / baseline:human, which frame the tables",
    )
    options: dict[str, Any] = Field(default={}, description="the model's or the function's own options")
    clusters: Literal["kmeans", "spectral", "agglomerative"] | None = Field(
        default=None, description="clustering whose groups the model is given; null: none"
    )
    network: dict[str, Any] = Field(default={}, description="values of `network:` that differ for this system")
    training: dict[str, Any] = Field(default={}, description="values of `training:` that differ for this system")

    @field_validator("model")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        kind, _, name = value.partition(":")
        if kind == "baseline" and name not in ("random", "human"):
            raise ValueError(f"no baseline {name!r}; {nearest(name, ['random', 'human'])}")
        if kind == "function" and "." not in name:
            raise ValueError(f"{value!r} names no module; write function:module.name")
        return value

    @property
    def trained(self) -> bool:
        return self.model.partition(":")[0] not in ("baseline", "external", "function")


class ExternalSystem(Settings):
    """A row whose responses were made elsewhere, say by a language model."""

    label: str = Field(description="name in tables")
    responses: AnyPath = Field(
        description="path of a CSV, JSON lines or Parquet file with columns context and response (and sample, where a "
        "context has several responses); {corpus} and {split} stand for their names"
    )


class Decoding(Settings):
    """How responses are generated: greedily, as in all four papers' main tables."""

    max_length: Positive = Field(default=25, description="tokens after which a response is cut off")
    batch_size: Positive = Field(default=128, description="contexts decoded together")
    importance_samples: Positive = Field(default=20, description="draws of z for the importance-weighted likelihood")


# --- evaluation ----------------------------------------------------------------------------------------------------


class Metrics(Settings):
    """Settings of the metrics; each travels into the metric's signature."""

    bleu_smoothing: Literal["legacy", "current"] = Field(
        default="legacy", description="NLTK's method 7 as in 3.4.3 (the paper's) or as it is now; decides the tables"
    )
    bleu_weights: Literal["cumulative", "onehot"] = Field(
        default="cumulative", description="BLEU-n over orders 1 to n in equal parts, or over order n alone"
    )
    coherence_stopwords: Literal["drop", "keep"] = Field(
        default="drop", description="whether stop words count in the mean vectors of the coherence metric"
    )
    bootstrap: Positive = Field(default=1000, description="resamples of an interval")


class Significance(Settings):
    """Paired tests between the best system of a column and every other."""

    method: Literal["randomisation", "bootstrap"] = Field(default="randomisation", description="the paired test")
    trials: Positive = Field(default=1000, description="random reassignments or resamples")
    level: float = Field(default=0.05, gt=0, lt=1, description="adjusted p below which a difference is significant")
    seed: Seed = Field(default=1, description="of the trials")


class Tables(Settings):
    """What the tables show."""

    table2: list[str] = Field(
        default=["ppl", "distinct-1", "distinct-2", "length", "BLEU-1", "Average", "coherence"],
        description="metrics of Table 2 (validation), in the published order",
    )
    table3: list[str] = Field(
        default=["distinct-1", "distinct-2", "length", "BLEU-2", "BLEU-3", "Average", "coherence"],
        description="metrics of Table 3 (test), in the published order",
    )
    extra: list[str] = Field(
        default=["ppl-bound", "ppl-importance", "kl", "active-units", "corpus-BLEU", "Greedy", "Extrema"],
        description="columns beyond the published shape, after it",
    )
    digits: Positive = Field(default=3, description="decimals of a cell")


# --- what people look at ------------------------------------------------------------------------------------------


SHEET_COLUMNS = ("sheet", "rater", "item", "response_id", "context", "response")  # then one for each aspect


class Scale(Settings):
    """How a rater answers: places of the systems (1 is best, ties allowed), one of a few values, or yes and no."""

    kind: Literal["rank", "score", "yes_no"] = Field(
        default="rank", description="rank: place of each system, 1 is best; score: one of `values`; yes_no: 1 or 0"
    )
    values: list[Annotated[int, Field(ge=0, le=9)]] = Field(
        default=[], description="for kind `score`: the values that may be given, worst first; each is one key to press"
    )

    @model_validator(mode="after")
    def _has_values(self) -> "Scale":
        if (self.kind == "score") != (len(set(self.values)) >= 2 and sorted(set(self.values)) == self.values):
            raise ValueError("kind 'score' needs `values:`, at least two and ascending; the other kinds have none")
        return self


class Human(Settings):
    """Rating sheets for human judges, and the table made of what they filled in (Table 4)."""

    contexts: Positive = Field(default=200, description="contexts that are drawn from a split")
    split: Literal["validation", "test"] = Field(default="test", description="split that they are drawn from")
    seed: Seed = Field(default=1, description="of the draw and of the order in which systems are shown")
    run: int | None = Field(default=None, description="seed of the runs whose responses are shown; null: the first")
    systems: list[Name] = Field(
        default=[],
        description="which of `systems:` are judged; empty: all but the random response. External ones always are",
    )
    scale: Scale = Field(default=Scale(), description="how a rater answers")
    aspects: dict[Name, str] = Field(
        default={
            "diversity": "Does the response say something of its own? A reply that fits any context ranks last.",
            "relevance": "Is the response about what the context says, and a sensible reply to it?",
            "fluency": "Is the response grammatical, and readable without effort?",
        },
        min_length=1,
        description="what is judged, with the criterion that the rater reads",
    )
    ratings: AnyPath = Field(default="ratings", description="folder of the filled sheets, CSV")

    @field_validator("aspects")
    @classmethod
    def _columns_are_free(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := [name for name in SHEET_COLUMNS if name in value]:
            raise ValueError(f"{taken[0]!r} is a column of every rating sheet; give the aspect another name")
        return value


class Cases(Settings):
    """Table 5: training contexts with contradictory responses, and what every system makes of contexts near them."""

    contexts: Positive = Field(default=5, description="training contexts that are shown")
    neighbours: Positive = Field(default=1, description="nearest contexts of validation and of test for each")
    fewest_responses: Annotated[int, Field(ge=2)] = Field(
        default=2, description="different responses that a context must have"
    )


class LatentDistances(Settings):
    """Figure 4: cosine of [c; z] within and between groups, batch by batch."""

    systems: list[Name] = Field(
        default=["cvae_bow", "k_cvae_bow", "s_cvae_bow", "a_cvae_bow", "sepacvae"], description="systems that are drawn"
    )
    batches: Positive = Field(default=2_500, description="batches of the training split, in training order")
    threshold: float = Field(
        default=0.9,
        gt=-1,
        lt=1,
        description="cosine of contexts above which they form a group, where a system has none",
    )


class LatentMap(Settings):
    """Figure 5: t-SNE of the posterior means."""

    systems: list[Name] = Field(
        default=["sepacvae", "k_cvae_bow", "s_cvae_bow", "a_cvae_bow"], description="systems that are drawn"
    )
    split: Literal["validation", "test"] = Field(default="test", description="split whose pairs are drawn")
    pairs: Positive = Field(default=2_000, description="pairs at the most")
    perplexity: float = Field(default=30.0, gt=1, description="of t-SNE")
    seed: Seed = Field(default=1, description="of t-SNE, and of the k-means that NMI compares with")


class Figures(Settings):
    """Figures of trained systems; those that a run does not have are left out."""

    run: int | None = Field(default=None, description="seed of the runs that are drawn; null: the first")
    latent_distances: LatentDistances = LatentDistances()
    latent_map: LatentMap = LatentMap()


class Sweep(Settings):
    """The generated corpus with other rates of one-to-many and many-to-one, to see what they do to each system."""

    source: Name = Field(
        default="embedded", description="a source with reader `synthetic`; its own rates are the centre"
    )
    one_to_many: list[Fraction] = Field(default=[0.0, 0.25, 0.5, 0.75, 1.0], description="rates, many_to_one unchanged")
    many_to_one: list[Fraction] = Field(default=[0.0, 0.2, 0.4, 0.6, 0.8], description="rates, one_to_many unchanged")
    systems: list[Name] = Field(
        default=["seq2seq", "cvae", "cvae_bow", "k_cvae_bow", "sepacvae", "sepacvae_faithful"],
        description="systems that are swept",
    )
    seeds: list[Seed] = Field(default=[1, 2, 3], description="runs of each")


class Report(Settings):
    """The page with all of a run: `make report`."""

    parts: list[Literal["tables", "human", "cases", "figures", "costs", "items", "ablations", "sweep"]] = Field(
        default=["tables", "human", "cases", "figures", "costs", "items"],
        description="what the page holds, made if it is not there: tables 1-3, Table 4 (human), Table 5 (cases), "
        "figures of trained systems, runtime and memory (costs), the explorer of all responses (items); ablations and "
        "sweep train many more systems",
    )


class SweepPoint(NamedTuple):
    """One generated corpus of the sweep."""

    corpus: str  # name of its source
    axis: Literal["one_to_many", "many_to_one"]
    rate: float


class Config(Settings):
    """The whole of ``config.yaml``."""

    results: Folder = Field(
        default="results", min_length=1, description="folder of all outputs; one for each size of run"
    )
    mirror: AnyPath | None = Field(default=None, description="local folder tried before any URL, for every source")
    corpora: list[Name] = Field(min_length=1, description="names of `sources:` that the tables cover")
    seeds: list[Seed] = Field(
        min_length=1, description="each trained system is run once with each; tables average over them"
    )
    sources: dict[Name, Source] = Field(description="corpora that there are, by name")
    filtering: Filtering = Filtering()
    embeddings: Embeddings = Embeddings()
    keywords: Keywords = Keywords()
    clustering: Clustering = Clustering()
    network: Network = Network()
    training: Training = Training()
    systems: dict[Name, System] = Field(min_length=1, description="rows of the tables, by name")
    external_systems: dict[Name, ExternalSystem] = Field(default={}, description="rows made elsewhere, by name")
    decoding: Decoding = Decoding()
    metrics: Metrics = Metrics()
    significance: Significance = Significance()
    tables: Tables = Tables()
    ablations: dict[Name, System] = Field(
        default={},
        description="rows of the table of ablations, beside the systems of the same model; in no other table",
    )
    human: Human = Human()
    cases: Cases = Cases()
    figures: Figures = Figures()
    sweep: Sweep | None = Field(default=None, description="null: nothing is swept")
    report: Report = Report()

    @field_validator("seeds", "corpora")
    @classmethod
    def _distinct(cls, value: list[Any]) -> list[Any]:
        if repeated := sorted({item for item in value if value.count(item) > 1}):
            raise ValueError(f"{repeated[0]!r} stands more than once; each run would be counted twice")
        return value

    @model_validator(mode="after")
    def _names_are_right(self) -> "Config":
        for section in ("external_systems", "ablations"):
            others = self.systems if section == "external_systems" else self.rows
            if both := sorted(others.keys() & getattr(self, section).keys()):
                raise ValueError(f"{section}: {both[0]!r} is also the name of another system; each row needs its own")
        for corpus in self.corpora:
            if corpus not in self.sources:
                raise ValueError(f"corpora: no source {corpus!r}; {nearest(corpus, list(self.sources))}")
        for system in self.human.systems:
            if system not in self.systems:
                raise ValueError(f"human.systems: no system {system!r}; {nearest(system, list(self.systems))}")
        if self.human.run is not None and self.human.run not in self.seeds:
            raise ValueError(f"human.run: there is no run with seed {self.human.run}; `seeds:` are {self.seeds}")
        if self.sweep and (self.sweep.source not in self.sources or not self.sources[self.sweep.source].synthetic):
            generated = [name for name, source in self.sources.items() if source.synthetic]
            raise ValueError(f"sweep.source: {self.sweep.source!r} is no generated source; {nearest('', generated)}")
        return self

    @property
    def rows(self) -> dict[str, System]:
        """Every system of the tables, those made elsewhere last."""
        made_elsewhere = {
            name: System(label=system.label, model="external:responses")
            for name, system in self.external_systems.items()
        }
        return self.systems | made_elsewhere

    @property
    def judged(self) -> list[str]:
        """The systems whose responses human judges see, in the order of the tables."""
        chosen = self.human.systems or [name for name, row in self.systems.items() if row.model != "baseline:random"]
        return [name for name in self.rows if name in chosen or name in self.external_systems]

    @property
    def trainable(self) -> dict[str, System]:
        """Every system that is trained, ablations last."""
        return {name: system for name, system in (self.systems | self.ablations).items() if system.trained}

    @property
    def sweep_points(self) -> list[SweepPoint]:
        """The generated corpora of the sweep; a rate that is the source's own is the source itself."""
        if self.sweep is None:
            return []
        source = self.sweep.source
        synthetic = self.sources[source].synthetic
        return [
            SweepPoint(source if rate == getattr(synthetic, axis) else f"{source}-{axis}-{100 * rate:.4g}", axis, rate)
            for axis in ("one_to_many", "many_to_one")
            for rate in getattr(self.sweep, axis)
        ]

    def recorded(self) -> str:
        """This configuration as JSON, to be kept with its results: without mirrors, which are folders of one machine,
        and without the sources that follow from the sweep."""
        derived = {point.corpus for point in self.sweep_points} - {self.sweep.source if self.sweep else ""}
        sources = {name: True if name in derived else {"mirror"} for name in self.sources}
        return self.model_dump_json(exclude={"mirror": True, "sources": sources, "embeddings": {"mirror"}})

    def for_corpus(self, corpus: str) -> "Config":
        """The configuration with the overrides of one corpus applied."""
        override = self.sources[corpus].override
        return _validated(_merge(self.model_dump(), override), f"sources.{corpus}.override") if override else self

    def network_of(self, corpus: str, system: str) -> Network:
        """Network sizes of one system on one corpus."""
        own = (self.systems | self.ablations)[system].network
        return _section(Network, self.for_corpus(corpus).network, own, f"systems.{system}.network")

    def training_of(self, corpus: str, system: str) -> Training:
        """Training settings of one system on one corpus."""
        own = (self.systems | self.ablations)[system].training
        return _section(Training, self.for_corpus(corpus).training, own, f"systems.{system}.training")

    def _with_sweep(self) -> "Config":
        """The same with a source for each point of the sweep."""
        if self.sweep is None:
            return self
        centre = self.sources[self.sweep.source]
        assert centre.synthetic is not None  # validated
        sources = dict(self.sources)
        for corpus, axis, rate in self.sweep_points:
            synthetic = centre.synthetic.model_copy(update={axis: rate})
            sources.setdefault(corpus, centre.model_copy(update={"synthetic": synthetic}))
        return self.model_copy(update={"sources": sources})


def load(values: dict[str, Any], where: str = "config.yaml") -> Config:
    """Check a configuration as read from YAML.

    Raises:
        PipelineError: names the first offending key, what was found and the nearest known key.
    """
    _check_plain(values, where)
    config = _validated(values, where)
    for corpus in config.corpora:  # overrides are checked now, not when a job of theirs starts
        config.for_corpus(corpus)
        for system in [*config.systems, *config.ablations]:
            config.network_of(corpus, system)
            config.training_of(corpus, system)
    return config._with_sweep()


_MOST_VALUES = 100_000
_DEEPEST = 32


def _check_plain(values: Any, where: str) -> None:
    """Refuse what JSON would change or YAML's anchors multiply, before anything copies or prints it."""
    seen = 0
    waiting: list[tuple[str, int, Any]] = [("", 0, values)]
    while waiting:
        path, depth, value = waiting.pop()
        seen += 1
        if seen > _MOST_VALUES or depth > _DEEPEST:
            raise PipelineError(
                f"more than {_MOST_VALUES:,} values" if depth <= _DEEPEST else f"{path[:80]}…: nested too deep",
                where=where,
                expected=f"{_MOST_VALUES:,} values at the most, {_DEEPEST} deep",
                remedy="look for an anchor (&name) that contains itself, or aliases (*name) that multiply",
            )
        if isinstance(value, dict):
            if odd := [key for key in value if not isinstance(key, str)]:
                raise _not_plain(f"{path}{odd[0]!r}", "key", odd[0], where)
            waiting += [(f"{path}{key}.", depth + 1, inner) for key, inner in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(f"{path}{index}.", depth + 1, inner) for index, inner in enumerate(value)]
        elif not isinstance(value, str | int | float | None) or not _passes_json(value):
            raise _not_plain(path.removesuffix("."), "value", value, where)


def _passes_json(value: str | int | float | None) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return value is None or (math.isfinite(value) if isinstance(value, float) else -(2**63) <= value < 2**63)


def _not_plain(path: str, part: str, value: Any, where: str) -> PipelineError:
    return PipelineError(
        f"{path[:200]}: a {part} of type {type(value).__name__} that is no plain text or number",
        where=where,
        expected="texts, finite numbers of at most 64 bits, true, false, null, lists and sections with names as keys",
        remedy="correct it; quote what is meant as text, such as dates and numbers that are names",
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping; an empty file is an empty one.

    Raises:
        PipelineError: the file is missing or not YAML, or holds something other than a mapping.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    # besides its own errors the parser lets out whatever a malformed date, number or tag, or deep nesting, raises
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise PipelineError(
            f"not readable as YAML: {getattr(error, 'problem', None) or error}",
            where=f"{path}:{mark.line + 1}" if mark else path,
            expected="a YAML file of sections and keys",
            remedy="correct the file; config.yaml is an example",
        ) from error
    if not isinstance(values, dict | None):
        raise PipelineError(
            f"holds a {type(values).__name__}",
            where=path,
            expected="sections and keys, such as `seeds: [1, 2]`",
            remedy="correct the file; config.yaml is an example",
        )
    return values or {}


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _section(kind: type[S], base: S, own: dict[str, Any], where: str) -> S:
    if not own:
        return base
    try:
        return kind.model_validate(_merge(base.model_dump(), own))
    except ValidationError as error:
        raise _explained(error, where, kind) from None


def _validated(values: dict[str, Any], where: str) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise _explained(error, where, Config) from None


def _explained(error: ValidationError, where: str, root: type[Settings]) -> PipelineError:
    faults = error.errors()
    # a misspelt required key is reported as missing and as unknown; the latter tells the user what to do
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    path = ".".join(str(part) for part in first["loc"])
    more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(root, first["loc"][:-1])
        return PipelineError(
            f"unknown key {path!r}{more}",
            where=where,
            expected=nearest(str(first["loc"][-1]), known),
            remedy="rename or remove the key; config/README.md lists every key",
        )
    message = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] == "missing" else f"; found {str(first['input'])[:120]!r}"
    return PipelineError(
        (f"{path}: {message}" if path else message) + more,
        where=where,
        expected=f"{path or 'the keys'} as in config/README.md" + (found if path else ""),
        remedy="correct the value" if found else "add the key",
    )


def _known_keys(kind: Any, path: tuple[Any, ...]) -> list[str]:
    """Field names of the section at ``path``, through dictionaries, lists and optional sections."""
    from typing import get_args

    for part in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = kind.model_fields[str(part)].annotation
            continue
        inner = [a for a in get_args(kind) if isinstance(a, type) and issubclass(a, BaseModel)]
        kind = inner[0] if inner else next((a for a in get_args(kind) if get_args(a)), kind)
    models = [kind, *get_args(kind)]
    found = next((m for m in models if isinstance(m, type) and issubclass(m, BaseModel)), None)
    return list(found.model_fields) if found else []
