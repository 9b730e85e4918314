"""The declarations of a paper: its systems, and its tables, figures and analyses as data.

A *kind* is a module: ``kind: scores`` of a table is `pipeline_lib.tables.scores`, ``kind: latent_map`` of a figure
`pipeline_lib.figures.latent_map`, ``kind: latents`` of an analysis `pipeline_lib.analyses.latents`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pipeline_lib.config.ratings import Questions
from pipeline_lib.config.settings import ORACLE_SPLIT, Distinct, Name, Positive, Seed, Settings, Split
from pipeline_lib.config.systems import SystemSettings

# of a held-out split: the examples that training lacks, and those of users who say too little there to be known
Part = Literal["unseen_pairs", "unseen_contexts", "unknown_users"]
ScoredSplit = Literal[
    Split,
    "validation_unseen_pairs",
    "validation_unseen_contexts",
    "validation_unknown_users",
    "test_unseen_pairs",
    "test_unseen_contexts",
    "test_unknown_users",
]


class TableSpec(Settings):
    """The keys that every kind of table has."""

    title: str = Field(description="printed above the table")
    caption: str = Field(default="", description="a sentence or two for the reports; may be reStructuredText")
    number: str | None = Field(default=None, description="as the paper counts; null: a table that the paper lacks")
    corpora: Annotated[list[Name], Distinct] | None = Field(
        default=None, description="corpora of the table; null: those of the run"
    )
    systems: Annotated[list[Name], Distinct] | dict[Name, str] | None = Field(
        default=None,
        min_length=1,
        description="rows, in order; a mapping gives each row the label that the paper uses here; null: those of "
        "`rows:`, as far as this kind of table has a row for them",
    )
    as_: dict[str, str] = Field(
        default={},
        alias="as",
        description="metric or system: the column or row under which the paper prints it, where its name differs",
    )
    notes: list[str] = Field(default=[], description="further notes below the table")


class BesidePublished(TableSpec):
    """A table that shows published values beside its own."""

    published_notes: list[str] = Field(
        default=[], description="further notes on published values; left out where no corpus of the table has any"
    )


class WithDecimals(TableSpec):
    """A table of real numbers."""

    digits: Positive = Field(default=3, description="decimals of a cell")


class OfCorpora(TableSpec):
    """A table of corpora, which has no row of a system."""

    @model_validator(mode="after")
    def _names_no_system(self) -> "OfCorpora":
        if self.systems is not None:
            raise ValueError("`systems:` means nothing here: this kind of table is about corpora")
        return self


class CountTable(OfCorpora, BesidePublished):
    """Counts of corpora, a row for each."""

    kind: Literal["counts"] = Field(description="counts: examples, words and repeated texts of the corpora")
    columns: dict[str, str] = Field(
        description="column, as the paper heads it: the count it shows, such as vocabulary or train.examples"
    )


class ScoreTable(WithDecimals, BesidePublished):
    """Metrics of systems, a row for each system on a corpus.

    A column is a metric; `oracle BLEU-1` is that of the responses whose group was chosen with the reference, on
    validation alone. With several splits every column is shown for each of them: `train nll`, `test nll`.
    """

    kind: Literal["scores"] = Field(description="scores: metrics of responses")
    splits: Annotated[list[ScoredSplit], Distinct] = Field(
        min_length=1,
        description="splits whose responses are scored, side by side; test_unseen_pairs: the test examples whose "
        "context and response no training example has word for word; test_unseen_contexts: whose context none has; "
        "test_unknown_users: whose responder says too little in training to be known",
    )
    columns: Annotated[list[str], Distinct] = Field(
        min_length=1, description="metrics of the published shape, in its order"
    )
    extra: Annotated[list[str], Distinct] = Field(
        default=[], description="metrics beyond the published shape, after it; left out where no row has a value"
    )
    extra_title: str = Field(default="Beyond the published columns", description="printed above the extra columns")
    beside: Literal["published", "first row"] = Field(
        default="published",
        description="the value that each value is compared with: the published one, or the first row's",
    )

    @model_validator(mode="after")
    def _columns_differ(self) -> "ScoreTable":
        if repeated := [name for name in self.extra if name in self.columns]:
            raise ValueError(f"`extra:` has {repeated[0]!r}, which is among `columns:` already")
        return self

    @property
    def metrics(self) -> list[str]:
        """Metrics of all columns, each once."""
        return list(dict.fromkeys(metric_of(column) for column in [*self.columns, *self.extra]))

    @property
    def read_splits(self) -> list[ScoredSplit]:
        """Splits whose scores the columns need: an oracle's column needs validation too."""
        oracles: list[ScoredSplit] = [ORACLE_SPLIT for name in [*self.columns, *self.extra] if name != metric_of(name)]
        return list(dict.fromkeys([*self.splits, *oracles]))


def whole_of(split: str) -> str:
    """Name the split that a part belongs to: `test_unseen_pairs` -> `test`; a whole split is its own."""
    return split.partition("_")[0]


def metric_of(column: str) -> str:
    """Take the metric out of a column's name: `oracle BLEU-1` -> `BLEU-1`."""
    return column.removeprefix("oracle ")


class TextTable(TableSpec):
    """Texts that an analysis picked."""

    kind: Literal["texts"] = Field(description="texts: contexts that an analysis found, with every system's responses")
    from_: Name = Field(alias="from", description="the analysis that picks them")


class ResponseTable(TableSpec):
    """Contexts drawn at random, with what every system answers."""

    kind: Literal["responses"] = Field(description="responses: contexts drawn from a split, with every system's answer")
    split: Split = Field(default="test", description="split that the contexts are drawn from")
    contexts: Positive = Field(default=2, description="contexts that are drawn, the same for all systems")
    seed: Seed = Field(default=1, description="seed of the draw")


class TableOfSystems(TableSpec):
    """A table of what an analysis made of some trained systems, which it names."""

    from_: Name = Field(alias="from", description="the analysis that makes it")

    @model_validator(mode="after")
    def _names_its_systems(self) -> "TableOfSystems":
        if self.systems is None:
            raise ValueError("`systems:` is missing; not every system has such an analysis, so name those that have")
        return self


class TransferTable(TableOfSystems):
    """Contexts that one system answers as several users."""

    kind: Literal["transfer"] = Field(description="transfer: one context, answered as each of several users")
    contexts: Positive = Field(default=3, description="contexts that are printed; the CSV has all of the analysis")
    users: Positive = Field(
        default=4,
        description="users that are printed: the most active ones who neither speak in the context nor respond to it",
    )


class KeywordTable(TableOfSystems):
    """Contexts that systems answer when they are told one keyword or another."""

    kind: Literal["keyword_choice"] = Field(description="keyword_choice: one context, answered with several keywords")
    contexts: Positive = Field(default=3, description="contexts that are printed; the CSV has all of the analysis")
    seed: Seed = Field(default=1, description="seed of the draw")


class NegativeTable(OfCorpora):
    """Negatives of examples, as a sheet by which to audit them."""

    kind: Literal["negatives"] = Field(description="negatives: texts that examples are contrasted with")
    split: Split = Field(default="test", description="split that the examples are of")
    shown: Positive = Field(default=5, description="negatives that are printed")
    sheet: Positive = Field(default=100, description="negatives in the CSV, with a column for a verdict")
    seed: Seed = Field(default=1, description="seed of the draw")


class RatingTable(WithDecimals, BesidePublished, Questions):
    """The answers of human judges."""

    kind: Literal["ratings"] = Field(description="ratings: judgements of human raters")


class SettingTable(BesidePublished):
    """Settings of systems."""

    kind: Literal["settings"] = Field(description="settings: sizes, options and training settings of systems")
    columns: dict[str, str] = Field(description="column: the setting it shows, such as network.hidden or options.keep")


class MeasureTable(TableOfSystems, WithDecimals, BesidePublished):
    """Values that an analysis measured: rows of systems, then what it compares them with."""

    kind: Literal["measures"] = Field(
        description="measures: values that an analysis measured, such as one of kind adversarial or adaptation"
    )
    columns: Annotated[list[str], Distinct] = Field(min_length=1, description="values of the published shape, in order")
    extra: Annotated[list[str], Distinct] = Field(
        default=[], description="values beyond the published shape; left out where no row has them"
    )


class ImputationTable(TableOfSystems):
    """Sentences with the last words that systems imputed."""

    kind: Literal["imputations"] = Field(description="imputations: sentences with the endings that systems imputed")
    shown: Positive = Field(default=5, description="sentences that are printed; the CSV has all")


class DecodedTable(TableOfSystems):
    """Texts that systems decoded from points of their latent spaces."""

    kind: Literal["decoded"] = Field(
        description="decoded: texts from points of latent spaces, of an analysis of kind paths, prior_samples or "
        "reconstructions"
    )
    shown: Positive = Field(default=3, description="paths, samples or sentences that are printed; the CSV has all")
    after: int = Field(default=0, ge=0, description="how many are passed over before the first that is printed")
    beside: Name | None = Field(
        default=None,
        description="another table of this kind: the share of grammatical texts of its systems is compared with "
        "this one's; null: none",
    )


class CostTable(TableSpec):
    """Runtime and memory of every stage and system."""

    kind: Literal["costs"] = Field(description="costs: time and memory")


AnyTable = Annotated[
    CountTable
    | ScoreTable
    | TextTable
    | ResponseTable
    | TransferTable
    | KeywordTable
    | NegativeTable
    | RatingTable
    | SettingTable
    | MeasureTable
    | ImputationTable
    | DecodedTable
    | CostTable,
    Field(discriminator="kind"),
]


class FigureSpec(Settings):
    """A figure: SVG, PNG and the plotted values as CSV."""

    kind: Name = Field(description="module of pipeline_lib.figures that draws it")
    title: str = Field(description="printed above the figure")
    caption: str = Field(default="", description="a sentence or two for the reports; may be reStructuredText")
    number: str | None = Field(default=None, description="as the paper counts; null: a figure that the paper lacks")
    of: Name | None = Field(
        default=None,
        description="the analysis that it draws; null: kind `histories` draws the training histories, every other "
        "kind draws nothing but its options",
    )
    systems: Annotated[list[Name], Distinct] | None = Field(
        default=None,
        min_length=1,
        description="systems that are drawn; null: the trained ones of `rows:`",
    )
    options: dict[str, Any] = Field(default={}, description="the kind's own options")


class Judge(Settings):
    """A trained system that an analysis reads beside the one that it is about."""

    system: Name = Field(description="a trained system of the paper, such as a language model that scores texts")
    seed: Seed = Field(description="the run of it; none of `seeds:`, so that nothing is judged by itself")


class AnalysisSpec(Settings):
    """Something computed from a corpus or from a trained system, beside its scores."""

    kind: Name = Field(description="module of pipeline_lib.analyses that computes it")
    of: Name | None = Field(default=None, description="another analysis, which this one continues; null: none")
    corpus: Name | None = Field(
        default=None,
        description="corpus whose examples it reads in place of those that the system was trained on; their words are "
        "looked up in the system's vocabulary; null: those of the system's own corpus",
    )
    judge: Judge | None = Field(
        default=None, description="a further system, trained on the same corpus, that it reads; null: none"
    )
    options: dict[str, Any] = Field(default={}, description="the kind's own options")


class Paper(Settings):
    """The content of `papers/<paper>/paper.yaml`."""

    title: str = Field(description="title of the paper")
    citation: str = Field(description="authors, year, venue")
    systems: dict[Name, SystemSettings] = Field(min_length=1, description="rows of the tables, by name")
    tables: dict[Name, AnyTable] = Field(min_length=1, description="tables, by the name of their files")
    figures: dict[Name, FigureSpec] = Field(default={}, description="figures, by the name of their files")
    analyses: dict[Name, AnalysisSpec] = Field(default={}, description="analyses, by name")
