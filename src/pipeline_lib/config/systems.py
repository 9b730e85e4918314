"""Rows of the tables."""

from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pipeline_lib.config.settings import AnyPath, Name, Settings
from pipeline_lib.config.units import UnitsKind

SORTS = ("model", "function", "responses", "baseline")


def _known_wildcards(value: str) -> str:
    try:
        names = [name for _, name, _, _ in Formatter().parse(value) if name is not None]
    except ValueError as error:
        raise ValueError(f"{error}; write {{{{ and }}}} for braces that are part of the name") from None
    if unknown := [name for name in names if name not in ("corpus", "split")]:
        raise ValueError(f"{{{unknown[0]}}} is not known here; a path may have {{corpus}} and {{split}} in it")
    return value


SideTable = Annotated[
    str,
    StringConstraints(
        pattern=r"^(clusters/(kmeans|spectral|agglomerative)|users/(responding|words)|contrasts/(words|pieces)"
        r"|graph/keywords)$"
    ),
]


class SystemSettings(Settings):
    """One row of the tables. It gives exactly one of `model`, `function`, `responses` and `baseline`."""

    label: str = Field(description="name in tables; published values are found by it")
    model: str | None = Field(
        default=None, pattern=r"^[\w.]+:\w+$", description="module:Class of a network that is trained"
    )
    function: str | None = Field(
        default=None,
        pattern=r"^[\w.]+\.\w+$",
        description="module.name of a function that answers contexts without training",
    )
    responses: Annotated[AnyPath, AfterValidator(_known_wildcards)] | None = Field(
        default=None,
        description="path of responses made elsewhere: CSV, JSON lines or Parquet with columns context and response "
        "(and sample, where a context has several responses); {corpus} and {split} stand for their names",
    )
    baseline: (
        Literal["random", "human", "constant", "copy", "truth", "positions", "sample", "mode", "stranger"] | None
    ) = Field(
        default=None,
        description="a reference row. random: training responses drawn at random; human: the references "
        "themselves; constant: the most frequent training response to every context; copy: the last turn of "
        "the context; truth: the distribution of a generated corpus, which no model can beat; positions: of generated "
        "sentences, the best distribution that knows a word's position alone; of generated users and paraphrases, "
        "sample: draws from that distribution; of users, mode: its likeliest response, stranger: draws by one who "
        "knows the context alone. Tables that name no systems have the rows of a distribution only where all corpora "
        "are generated, with windows and tokeniser as in the catalogue",
    )
    note: str | None = Field(default=None, description="printed below every table of scores that has the row")
    like: str | None = Field(
        default=None,
        description="name of the system whose entry this one starts from, or paper/name of a system of another paper; "
        "every key that is given here replaces the inherited one, section within section",
    )
    only_named: bool = Field(
        default=False,
        description="true: a row only of tables that name it, such as an ablation; false: also of every table that "
        "names no systems",
    )
    options: dict[str, Any] = Field(default={}, description="the model's or the function's own options")
    reads: dict[Literal["group", "user", "floors", "profile", "keywords", "negative", "nodes", "graph"], SideTable] = (
        Field(
            default={},
            description="further inputs: field of the batch: stage/file that holds it for every example; group: "
            "clusters/kmeans, clusters/spectral or clusters/agglomerative; user, who responds, and floors, which turns "
            "of the context are the same user's: users/responding; profile, the words that tell the user best: "
            "users/words; keywords of the context, a negative of the response, and the nodes of keywords in the graph: "
            "contrasts/words or contrasts/pieces, by the units of the system; graph of keywords: graph/keywords",
        )
    )
    units: UnitsKind | None = Field(
        default=None, description="what the system reads and writes, if not the `units.kind` of the corpus"
    )
    network: dict[str, Any] = Field(default={}, description="values of `network:` that differ for this system")
    training: dict[str, Any] = Field(default={}, description="values of `training:` that differ for this system")
    decoding: dict[str, Any] = Field(default={}, description="values of `decoding:` that differ for this system")
    starts_from: Name | None = Field(
        default=None,
        description="another trained system, whose weights of the same seed are the beginning of the training; "
        "null: weights are drawn",
    )

    def responses_to(self, corpus: str, split: str) -> str:
        """Return the path of the responses that were made elsewhere to one split of a corpus."""
        return (self.responses or "").format(corpus=corpus, split=split)

    @property
    def seen(self) -> list[Any]:
        """Corpora that its pretrained weights were trained on."""
        given = self.options.get("seen")
        return given if self.options.get("weights") and isinstance(given, list) else []

    def options_on(self, corpus: str) -> dict[str, Any]:
        """Return the options for one corpus: of those that the weights have seen, at most this one.

        A mark for one corpus is then no cause to train again on another.
        """
        if not self.seen:
            return self.options
        others = {name: value for name, value in self.options.items() if name != "seen"}
        return others | ({"seen": [corpus]} if corpus in self.seen else {})

    @property
    def trained(self) -> bool:
        return self.model is not None

    @property
    def exact(self) -> bool:
        """Whether it is a distribution that is known: it has likelihoods and no texts."""
        return self.baseline in ("truth", "positions")

    @property
    def of_truth(self) -> bool:
        """Whether it follows from a distribution that is known, which not every corpus has."""
        return self.exact or self.baseline in ("sample", "mode", "stranger")

    @model_validator(mode="after")
    def _is_of_one_sort(self) -> "SystemSettings":
        given = [sort for sort in SORTS if getattr(self, sort) is not None]
        if len(given) != 1:
            raise ValueError(f"gives {' and '.join(given) or 'none'} of {', '.join(SORTS)}; a system is exactly one")
        only_trained = [
            key for key in ("reads", "units", "network", "training", "decoding", "starts_from") if getattr(self, key)
        ]
        if only_trained and not self.trained:
            raise ValueError(f"`{only_trained[0]}:` has a meaning for a system with `model:` only")
        return self
