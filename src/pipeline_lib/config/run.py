"""The whole of ``config.yaml``, and what each corpus and system makes of it."""

from typing import Any

from pydantic import Field, field_validator, model_validator

from pipeline_lib.config.cases import Cases
from pipeline_lib.config.checking import merge, overridden, validated
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.config.corpora import Source
from pipeline_lib.config.decoding import Decoding
from pipeline_lib.config.embeddings import Embeddings
from pipeline_lib.config.figures import Figures
from pipeline_lib.config.filtering import Filtering
from pipeline_lib.config.keywords import Keywords
from pipeline_lib.config.metrics import Metrics
from pipeline_lib.config.networks import Recurrent
from pipeline_lib.config.ratings import Human
from pipeline_lib.config.report import Report
from pipeline_lib.config.settings import AnyPath, Folder, Name, Seed, Settings
from pipeline_lib.config.significance import Significance
from pipeline_lib.config.sweep import Sweep, SweepPoint
from pipeline_lib.config.systems import ExternalSystem, SystemSettings
from pipeline_lib.config.tables import Tables
from pipeline_lib.config.training import Training
from pipeline_lib.errors import did_you_mean


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
    network: Recurrent = Recurrent()
    training: Training = Training()
    systems: dict[Name, SystemSettings] = Field(min_length=1, description="rows of the tables, by name")
    external_systems: dict[Name, ExternalSystem] = Field(default={}, description="rows made elsewhere, by name")
    decoding: Decoding = Decoding()
    metrics: Metrics = Metrics()
    significance: Significance = Significance()
    tables: Tables = Tables()
    ablations: dict[Name, SystemSettings] = Field(
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
                raise ValueError(f"corpora: no source {corpus!r}; {did_you_mean(corpus, list(self.sources))}")
        for name, row in self.trainable.items():
            if row.starts_from is not None and row.starts_from not in self.trainable:
                raise ValueError(
                    f"systems.{name}.starts_from: no trained system {row.starts_from!r}; "
                    f"{did_you_mean(row.starts_from, list(self.trainable))}"
                )
        for system in self.human.systems:
            if system not in self.systems:
                raise ValueError(f"human.systems: no system {system!r}; {did_you_mean(system, list(self.systems))}")
        if self.human.run is not None and self.human.run not in self.seeds:
            raise ValueError(f"human.run: there is no run with seed {self.human.run}; `seeds:` are {self.seeds}")
        if self.sweep and (self.sweep.source not in self.sources or not self.sources[self.sweep.source].synthetic):
            generated = [name for name, source in self.sources.items() if source.synthetic]
            raise ValueError(
                f"sweep.source: {self.sweep.source!r} is no generated source; {did_you_mean('', generated)}"
            )
        return self

    @property
    def rows(self) -> dict[str, SystemSettings]:
        """Every system of the tables, those made elsewhere last."""
        made_elsewhere = {
            name: SystemSettings(label=system.label, model="external:responses")
            for name, system in self.external_systems.items()
        }
        return self.systems | made_elsewhere

    @property
    def judged(self) -> list[str]:
        """The systems whose responses human judges see, in the order of the tables."""
        chosen = self.human.systems or [name for name, row in self.systems.items() if row.model != "baseline:random"]
        return [name for name in self.rows if name in chosen or name in self.external_systems]

    @property
    def trainable(self) -> dict[str, SystemSettings]:
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
        return validated(Config, merge(self.model_dump(), override), f"sources.{corpus}.override") if override else self

    def network_of(self, corpus: str, system: str) -> Recurrent:
        """Recurrent sizes of one system on one corpus."""
        own = (self.systems | self.ablations)[system].network
        return overridden(Recurrent, self.for_corpus(corpus).network, own, f"systems.{system}.network")

    def training_of(self, corpus: str, system: str) -> Training:
        """Training settings of one system on one corpus."""
        own = (self.systems | self.ablations)[system].training
        return overridden(Training, self.for_corpus(corpus).training, own, f"systems.{system}.training")

    def with_sweep(self) -> "Config":
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
