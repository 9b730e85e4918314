"""Corpora: readers, files, generators."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline_lib.config.filtering import Treatment
from pipeline_lib.config.generated import Turns, check_held_out
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.config.paraphrases import Paraphrases
from pipeline_lib.config.personas import Personas
from pipeline_lib.config.settings import AnyPath, FileName, Fraction, Positive, Seed, Settings
from pipeline_lib.errors import did_you_mean

# sections that mean something for one corpus alone; the rest describes the run or is given for each system
OVERRIDABLE = (
    "filtering",
    "embeddings",
    "units",
    "keywords",
    "clustering",
    "network",
    "training",
    "decoding",
    "metrics",
    "users",
    "contrasts",
)


Reader = Literal[
    "synthetic",
    "grammar",
    "personas",
    "paraphrases",
    "dailydialog",
    "opensubtitles",
    "numbered",
    "table",
    "ptb",
    "sentences",
    "novels",
    "msrp",
    "trec",
    "pairs",
    "qqp",
    "stories",
    "post_reply",
]

# readers whose dialogues are pairs of texts, or clusters of pairs: a gap between turn numbers keeps them apart
PAIRED = ("paraphrases", "pairs", "qqp", "post_reply")
# readers that make their corpus; what they make stands in a section of the reader's name
GENERATORS = ("synthetic", "grammar", "personas", "paraphrases")


class RemoteFile(Settings):
    """One file of a source: where it may be had and how to know that it is the right one."""

    name: FileName = Field(description="file name in the mirror and in results/raw")
    urls: list[str] = Field(default=[], description="tried in order")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="hex digest; null: not verified")


class CorpusFile(RemoteFile):
    """One file of a corpus."""

    split: Literal["train", "validation", "dev", "test"] | None = Field(
        default=None,
        description="split of everything in the file, `dev` being validation; null: as columns or file names say",
    )


class Synthetic(Settings):
    """The generated corpus: dialogues from hand-written topics and templates with known latent groups."""

    dialogues: Positive = Field(default=1200, description="number of dialogues, over all splits")
    turns: Turns = Field(default=(4, 8), description="fewest and most turns of a dialogue")
    one_to_many: Fraction = Field(
        default=0.5, description="probability that a turn repeats an earlier context, with a response of another group"
    )
    many_to_one: Fraction = Field(
        default=0.2, description="probability that a response is a generic one, which fits any context"
    )
    topics: Positive = Field(default=16, le=16, description="topics of dialogues, of the sixteen that there are")
    groups: Positive = Field(default=8, le=8, description="latent groups of responses")
    validation: Fraction = Field(default=0.1, description="share of dialogues")
    test: Fraction = Field(default=0.1, description="share of dialogues")
    seed: Seed = Field(default=1, description="seed of the generator")

    @model_validator(mode="after")
    def _leaves_training_dialogues(self) -> "Synthetic":
        check_held_out(self.validation, self.test)
        return self


class Window(Settings):
    """The stretches of a document that become examples: some utterances of context, then the response."""

    context: int = Field(
        default=1, ge=0, le=100, description="utterances before the response; 0: a sentence alone, 1: one turn"
    )
    every: Literal["utterance", "document"] = Field(
        default="utterance", description="a window at each utterance, or one that ends with the document"
    )
    split: Literal["dialogue", "window"] = Field(
        default="dialogue",
        description="dialogue: all windows of a dialogue are in its split; window: each is assigned by a hash and the "
        "shares of `splits:`, as papers do that divide their examples at random. Overlapping windows then put held-out "
        "responses into training contexts, and the share of these is reported",
    )


class Division(Settings):
    """How windows are divided among the splits one by one."""

    validation: Fraction
    test: Fraction
    seed: Seed


Column = Literal["dialogue", "turn", "text", "speaker", "split", "context", "response", "cluster", "negative"]
_COLUMNS: dict[Column, str | list[str] | None] = {"dialogue": "dialogue", "turn": "turn", "text": "text"}
# readers whose files have columns of the user's choice; others name their own
_READ: dict[str, tuple[Column, ...]] = {
    "table": ("dialogue", "turn", "text", "speaker", "split"),
    "pairs": ("context", "response", "cluster", "negative", "split"),
}


class Source(Settings):
    """A corpus: a reader, its files or its generator, and what differs for it from the rest of the configuration."""

    reader: Reader = Field(
        description="synthetic: generated dialogues; grammar: generated sentences; personas: generated dialogues of "
        "users with known styles; paraphrases: generated questions in pairs of one meaning; dailydialog: the release's "
        "zips or text files; opensubtitles: OPUS plain text, one utterance a line, an empty line between films; "
        "numbered: `N query<TAB>response`, N restarts with each film; table: CSV, TSV, JSONL or Parquet with columns "
        "dialogue id, turn, text[, speaker][, split]; ptb: the Penn Treebank as Mikolov et al. prepared it; sentences: "
        "text, a sentence a line; novels: prose in paragraphs, also hard-wrapped, which is cut into sentences; msrp: "
        "paraphrase pairs, trec: classes of questions, both for probes alone, as they have no validation split; pairs: "
        "CSV, TSV, JSONL or Parquet with columns context, response[, cluster][, negative][, split]; qqp: Quora "
        "question pairs; stories: five sentences a row; post_reply: `post<TAB>reply`, one a line"
    )
    label: str = Field(description="name in tables; published values are matched by it")
    stands_for: str | None = Field(
        default=None,
        description="published corpus that cannot be had, in whose place this one is; its published values are shown, "
        "but nothing is subtracted from them",
    )
    licence: str = Field(description="licence of the text")
    mirror: AnyPath | None = Field(default=None, description="local folder that is tried before any URL")
    bundles: list[list[CorpusFile]] = Field(
        default=[], description="alternative sets of files; the first one that can be completed is taken"
    )
    columns: dict[Column, str | list[str] | None] = Field(
        default=_COLUMNS,
        description="column names of a table; `dialogue: [Season, Episode]`: ids of several columns; `turn: null`: "
        "turns are in the order of the rows. Of pairs: context, response, cluster, whose pairs are in one split, and "
        "negative, a text that means something else",
    )
    separator: Literal[",", ";", "\t", "|"] | None = Field(
        default=None, description="character between the cells of a table; null: a tab in .tsv, a comma in .csv"
    )
    quotes: bool = Field(
        default=True, description="whether a quotation mark begins a quoted cell of a table; false: it is text"
    )
    gaps: Literal["split", "join"] = Field(
        default="split",
        description="turn numbers of a table that skip some; split: no window reaches over such a gap; join: the rows "
        "around it are taken for neighbours",
    )
    same_speaker: Literal["keep", "join"] = Field(
        default="keep",
        description="neighbouring rows of one speaker in a table; keep: each is a turn; join: they are one turn, as "
        "where stage directions divide a speech",
    )
    splits: dict[Literal["validation", "test"], Fraction] = Field(
        default={"validation": 0.05, "test": 0.05},
        description="shares of dialogues held out where the corpus has no official splits",
    )
    split_seed: Seed = Field(default=1, description="decides which dialogues are held out")
    window: Window = Field(default=Window(), description="which stretches of a dialogue become examples")
    tokeniser: Literal["english", "spaces", "characters"] = Field(
        default="english",
        description="english: Treebank-like, lower-cased; spaces: words as given; characters: one by one, Latin words "
        "and numbers whole",
    )
    unknown: Treatment = Field(
        default="unk",
        description="treatment of tokens that are not known, unless `filtering: {unknown: …}` names another: "
        "drop_example, as published for some corpora of the catalogue; drop_token; unk: replaced by `<unk>`; "
        "keep: it stays in the texts, where word pieces read it and a pointer copies it; to others it is `<unk>`",
    )
    references: dict[Literal["validation", "test"], AnyPath] = Field(
        default={},
        description="further references to the contexts of a split, which metrics use beside the response of each "
        "example: CSV, JSON lines or Parquet with columns context and reference",
    )
    synthetic: Synthetic | None = Field(default=None, description="for reader `synthetic`: what is generated")
    grammar: Grammar | None = Field(default=None, description="for reader `grammar`: what is generated")
    personas: Personas | None = Field(default=None, description="for reader `personas`: what is generated")
    paraphrases: Paraphrases | None = Field(default=None, description="for reader `paraphrases`: what is generated")
    override: dict[str, Any] = Field(
        default={}, description="sections (filtering, training, ...) and values of theirs that differ for this corpus"
    )

    @property
    def generated(self) -> bool:
        """Whether the corpus is made by the project, and so has no files."""
        return self.reader in GENERATORS

    @property
    def of_pairs(self) -> bool:
        """Whether a dialogue to later stages is pairs of texts, of which each is a window."""
        return self.reader in PAIRED

    @property
    def has_paraphrases(self) -> bool:
        """Whether all texts of a cluster, which is a dialogue to later stages, say the same."""
        return self.reader in ("qqp", "paraphrases") or (self.reader == "pairs" and bool(self.columns.get("cluster")))

    @property
    def has_known_distribution(self) -> bool:
        """Whether -log p of its responses can be computed: sentences, or dialogues with contexts."""
        if self.reader in ("synthetic", "paraphrases"):
            return self.window == Window() and self.tokeniser == "english"
        if self.reader == "personas":
            return self.window.context > 0 and self.tokeniser == "spaces"
        return self.reader == "grammar" and self.window.context == 0 and self.tokeniser != "characters"

    def has_row(self, baseline: str) -> bool:
        """Whether a reference row follows from its known distribution: a likelihood, or an oracle's responses."""
        readers = {
            "truth": ("grammar", "synthetic", "personas", "paraphrases"),
            "positions": ("grammar",),
            "sample": ("personas", "paraphrases"),
            "mode": ("personas",),
            "stranger": ("personas",),
        }
        return self.has_known_distribution and self.reader in readers[baseline]

    @property
    def division(self) -> Division | None:
        """How windows are divided among the splits; None: with their dialogues."""
        if self.window.split == "dialogue":
            return None
        shares = {"validation": 0.0, "test": 0.0} | self.splits
        return Division(validation=shares["validation"], test=shares["test"], seed=self.split_seed)

    def files(self) -> list[list[dict[str, str | None]]]:
        """Return what decides the raw files: names and checksums, bundle by bundle."""
        return [[{"name": file.name, "sha256": file.sha256} for file in bundle] for bundle in self.bundles]

    def content(self) -> "Source":
        """Return what decides the dialogues: files by name and checksum, reader and splits, not the files' location."""
        bundles = [[file.model_copy(update={"urls": []}) for file in bundle] for bundle in self.bundles]
        window = Window() if self.division is None else self.window
        later = {"window": window, "tokeniser": "english", "unknown": "unk", "references": {}}  # of later stages
        shown = {"label": "", "licence": "", "stands_for": None}
        return self.model_copy(update={"mirror": None, "override": {}, "bundles": bundles} | later | shown)

    @field_validator("columns")
    @classmethod
    def _only_ids_are_composed(cls, value: dict[str, str | list[str] | None]) -> dict[str, str | list[str] | None]:
        for key, column in value.items():
            if isinstance(column, list) and (key != "dialogue" or not column):
                raise ValueError(
                    f"{key}: a list of columns; only `dialogue` can be made of several, and of one at least"
                )
            if column is None and key in ("dialogue", "text"):
                raise ValueError(f"{key}: null; a table needs this column")
        return value

    @field_validator("override")
    @classmethod
    def _only_sections(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in value:
            if key not in OVERRIDABLE:
                raise ValueError(f"{key!r} cannot differ between corpora; {did_you_mean(key, list(OVERRIDABLE))}")
        return value

    @model_validator(mode="after")
    def _has_content(self) -> "Source":
        if self.reader in GENERATORS and getattr(self, self.reader) is None:
            raise ValueError(f"reader {self.reader!r} needs a section `{self.reader}:`")
        if not self.generated and not self.bundles:
            raise ValueError(f"reader {self.reader!r} needs `bundles:`, the files of the corpus")
        read = _READ.get(self.reader, ())
        named = [key for key, column in self.columns.items() if column and column != _COLUMNS.get(key)]
        if unread := [key for key in named if key not in read]:
            raise ValueError(
                f"`columns: {{{unread[0]}: …}}` is not read by reader {self.reader!r}; "
                + (f"it reads {', '.join(read)}" if read else "its files have columns of their own, or none")
            )
        if self.columns.get("split") and any(file.split for bundle in self.bundles for file in bundle):
            raise ValueError("`columns: {split: …}` and `split:` of files contradict each other; keep one of them")
        if self.same_speaker == "join" and not (self.reader == "table" and self.columns.get("speaker")):
            raise ValueError("`same_speaker: join` needs a table with `columns: {speaker: …}`")
        if sum(self.splits.values()) >= 1:
            raise ValueError("`splits:` hold out every dialogue; nothing is left to train on")
        return self
