"""The whole configuration of a run, and what it makes of each table, corpus and system."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from pipeline_lib.config.checking import overridden, validated
from pipeline_lib.config.clustering import Clustering
from pipeline_lib.config.contrasts import Contrasts
from pipeline_lib.config.corpora import Source
from pipeline_lib.config.decoding import Decoding, GreedySettings
from pipeline_lib.config.embeddings import Embeddings
from pipeline_lib.config.filtering import Filtering
from pipeline_lib.config.keywords import Keywords
from pipeline_lib.config.layout import Description, Layout
from pipeline_lib.config.metrics import Metrics
from pipeline_lib.config.names import check_names
from pipeline_lib.config.networks import AnyNetwork, Recurrent
from pipeline_lib.config.papers import (
    AnyTable,
    CostTable,
    CountTable,
    KeywordTable,
    NegativeTable,
    Paper,
    RatingTable,
    ResponseTable,
    ScoreTable,
    SettingTable,
    TableOfSystems,
    TextTable,
    TransferTable,
)
from pipeline_lib.config.ratings import Study
from pipeline_lib.config.report import Report
from pipeline_lib.config.rows import figures_of_rows, sweeps_of_rows, tables_of_rows
from pipeline_lib.config.settings import AnyPath, Distinct, Folder, Name, Seed
from pipeline_lib.config.significance import Significance
from pipeline_lib.config.sweep import SWEPT, Sweep, SweepPoint
from pipeline_lib.config.systems import SORTS, SystemSettings
from pipeline_lib.config.training import Training
from pipeline_lib.config.units import UnitsKind, UnitsSettings
from pipeline_lib.config.users import Users
from pipeline_lib.errors import PipelineError


class Config(Paper):
    """A paper and one of its presets, under whatever else the user gives."""

    paper: Name = Field(description="the paper: name of its folder in `papers/`; from `config.yaml` or `--config`")
    preset: Name = Field(
        description="the preset: name of a file in that folder, without .yaml; from `config.yaml` or `--config`"
    )
    results: Folder = Field(
        default="results", min_length=1, description="folder of all outputs; each preset has its own"
    )
    mirror: AnyPath | None = Field(default=None, description="local folder tried before any URL, for every source")
    store: float = Field(
        default=20.0,
        ge=0,
        description="GB of finished models, and of what else took over a minute, kept below `results:` for settings "
        "that come back (`python -m pipeline_lib store`); 0: none",
    )
    corpora: list[Name] = Field(min_length=1, description="corpora of the run: names of `sources:`")
    seeds: list[Seed] = Field(
        min_length=1, description="each trained system is run once with each; tables average over them"
    )
    rows: Annotated[list[Name], Distinct] | None = Field(
        default=None,
        min_length=1,
        description="systems of every table of scores, in this order. Figures, and tables of another kind, that name "
        "systems show those of them that are listed here or `only_named`; one that is left with none is not made. A "
        "table `beside: first row` keeps its own. null: every system that is not `only_named`",
    )
    sources: dict[Name, Source] = Field(description="corpora by name; `config/corpora.yaml` has those that are known")
    filtering: Filtering = Filtering()
    embeddings: Embeddings = Embeddings()
    units: UnitsSettings = UnitsSettings()
    keywords: Keywords = Keywords()
    clustering: Clustering = Clustering()
    users: Users = Users()
    contrasts: Contrasts = Contrasts()
    network: AnyNetwork = Field(default=Recurrent(), description="sizes shared by the systems of the run")
    training: Training = Training()
    decoding: Decoding = Field(default=GreedySettings(), description="strategy that chooses the words of a response")
    metrics: Metrics = Metrics()
    significance: Significance = Significance()
    ratings: Study = Study()
    report: Report = Report()

    @field_validator("seeds", "corpora")
    @classmethod
    def _distinct(cls, value: list[Any]) -> list[Any]:
        if repeated := sorted({item for item in value if value.count(item) > 1}):
            raise ValueError(f"{repeated[0]!r} is listed more than once; each run would be counted twice")
        return value

    @model_validator(mode="after")
    def _names_are_right(self) -> "Config":
        check_names(self)
        return self

    # --- systems ---------------------------------------------------------------------------------------------------

    @property
    def row_systems(self) -> dict[str, SystemSettings]:
        """The systems of the tables that name none; exact rows only where the distribution of every corpus is known."""
        if self.rows is not None:
            return {name: self.systems[name] for name in self.rows}
        is_known = all(self.sources[corpus].has_known_distribution for corpus in self.corpora_used)
        systems = {name: system for name, system in self.systems.items() if not system.only_named}
        return {name: system for name, system in systems.items() if is_known or not system.of_truth}

    @property
    def trainable(self) -> dict[str, SystemSettings]:
        """Every system that is trained, those that only some table names among them."""
        return {name: system for name, system in self.systems.items() if system.trained}

    def description(self, corpus: str, system: str) -> Description:
        """Return what the network of one system is built from."""
        settings = self.systems[system]
        # systems without groups ignore their number: leaving it out keeps it from retraining them
        groups = {"groups": self.for_corpus(corpus).clustering.groups} if "group" in settings.reads else {}
        users = {"users": self.for_corpus(corpus).users.count} if "user" in settings.reads else {}
        keywords = {"keyword_size": self.for_corpus(corpus).embeddings.size} if "graph" in settings.reads else {}
        return Description(
            model=settings.model or "",
            options=groups | users | keywords | settings.options_on(corpus),
            network=self.network_of(corpus, system),
        )

    def trained_as(self, corpus: str, system: str) -> str:
        """Return the first system that is trained as this one is; the two may differ in their decoding and label."""

        def training(name: str) -> tuple[object, ...]:
            own = self.systems[name]
            trained = self.description(corpus, name), self.training_of(corpus, name)
            return *trained, own.reads, own.starts_from, own.units

        return next(name for name in self.trainable if training(name) == training(system))

    def models_of(self, corpus: str, systems: Iterable[str]) -> list[str]:
        """List the systems whose models ``systems`` need on one corpus, each once; those without a model need none."""
        return list(dict.fromkeys(self.trained_as(corpus, name) for name in systems if self.systems[name].trained))

    def units_of(self, corpus: str, system: str) -> UnitsKind:
        """Return what one system reads and writes on one corpus.

        Raises:
            PipelineError: word pieces, of which the corpus has no list.
        """
        units = self.for_corpus(corpus).units
        kind = self.systems[system].units or units.kind
        if kind == "pieces" and units.pieces is None:
            raise PipelineError(
                f"no list of word pieces for corpus {corpus!r}",
                where=f"systems.{system}.units",
                expected="`units: {pieces: <file>}` of the run or of the corpus",
                remedy="name the file, a piece a line, or let the system read words",
            )
        return kind

    def network_of(self, corpus: str, system: str) -> AnyNetwork:
        """Return the network sizes of one system on one corpus."""
        own = self.systems[system].network
        return overridden(AnyNetwork, self.for_corpus(corpus).network, own, f"systems.{system}.network")

    def training_of(self, corpus: str, system: str) -> Training:
        """Return the training settings of one system on one corpus."""
        own = self.systems[system].training
        return overridden(Training, self.for_corpus(corpus).training, own, f"systems.{system}.training")

    def decoding_of(self, corpus: str, system: str) -> Decoding:
        """Return the decoding settings of one system on one corpus."""
        own = self.systems[system].decoding
        return overridden(Decoding, self.for_corpus(corpus).decoding, own, f"systems.{system}.decoding")

    # --- tables ----------------------------------------------------------------------------------------------------

    def tables_of(self, kind: str) -> list[str]:
        """List the names of the tables of one kind."""
        return [name for name, table in self.tables.items() if table.kind == kind]

    @property
    def reported(self) -> list[str]:
        """The tables of a run without a target, and of the page."""
        return list(self.tables) if self.report.tables is None else self.report.tables

    @property
    def drawn(self) -> list[str]:
        """The figures of the page."""
        return list(self.figures) if self.report.figures is None else self.report.figures

    def systems_drawn(self, figure: str) -> list[str]:
        """List the systems of a figure, in order: without a list, every model of the run once."""
        named = self.figures[figure].systems
        models = (name for corpus in self.corpora for name in self.models_of(corpus, self.row_systems))
        return named or list(dict.fromkeys(models))

    def pictures(self, figure: str) -> list[str]:
        """List the files of a figure below the results folder: one for each corpus, or one in all."""
        spec = self.figures[figure]
        of_corpora = spec.kind == "histories" if spec.of is None else spec.of not in self.sweeps
        return (
            [f"figures/{corpus}/{figure}.svg" for corpus in self.corpora] if of_corpora else [f"figures/{figure}.svg"]
        )

    @property
    def corpora_used(self) -> list[str]:
        """The corpora of the run and of its tables, each once."""
        return list(
            dict.fromkeys([*self.corpora, *(corpus for table in self.tables for corpus in self.corpora_of(table))])
        )

    @property
    def corpora_probed(self) -> list[str]:
        """The corpora of analyses that read another one than that of their systems."""
        return list(dict.fromkeys(analysis.corpus for analysis in self.analyses.values() if analysis.corpus))

    def corpora_of(self, table: str) -> list[str]:
        """List the corpora of a table."""
        return self.tables[table].corpora or self.corpora

    def systems_of(self, table: str) -> list[str]:
        """List the systems of a table, in the order of its rows."""
        spec = self.tables[table]
        if isinstance(spec, CountTable | NegativeTable):
            return []
        if isinstance(spec, CostTable):  # with the models that its rows decode, whose training is a cost of theirs
            rows = list(self.row_systems if spec.systems is None else spec.systems)
            models = [model for corpus in self.corpora_of(table) for model in self.models_of(corpus, rows)]
            return list(dict.fromkeys(rows + models))
        if spec.systems is not None:
            return list(spec.systems)
        if isinstance(spec, SettingTable):
            return [name for name, system in self.row_systems.items() if system.trained]
        if isinstance(spec, RatingTable | ResponseTable | TextTable):
            # nobody judges the random response; beside every answer of a text table is the reference already
            left_out = "random" if isinstance(spec, RatingTable) else "human"
            answering = {name: system for name, system in self.row_systems.items() if not system.exact}
            return [name for name, system in answering.items() if system.baseline != left_out]
        return list(self.row_systems)

    def layout(self, table: str) -> Layout:
        """Describe the rows of a table: only what shows in it, so that nothing else remakes it."""
        spec = self.tables[table]
        labels = spec.systems if isinstance(spec.systems, dict) else {}
        shown = {"label", *SORTS}
        if isinstance(spec, ScoreTable):
            shown.add("note")
            if spec.beside == "first row":
                shown |= {"options", "network", "training", "decoding"}
        systems = {
            name: SystemSettings.model_validate(
                self.systems[name].model_dump(include=shown) | ({"label": labels[name]} if name in labels else {})
            )
            for name in self.systems_of(table)
        }
        read = self.analyses[spec.from_].corpus if isinstance(spec, TableOfSystems) else None
        sources = {name: self.sources[read or name] for name in self.corpora_of(table)}
        return Layout(
            corpora={name: source.label for name, source in sources.items()},
            stands_for={name: source.stands_for for name, source in sources.items() if source.stands_for},
            systems=systems,
            seeds=self._seeds_shown(spec),
        )

    def _seeds_shown(self, spec: AnyTable) -> list[int]:
        if isinstance(spec, CountTable | NegativeTable | RatingTable | SettingTable):
            return []
        if isinstance(spec, ResponseTable | TextTable | TransferTable | KeywordTable):
            return self.seeds[:1]
        return self.seeds

    def settings_of(self, table: str) -> dict[str, dict[str, Any]]:
        """Return the settings of a table's systems on its first corpus: network, options and training of each."""
        corpus = self.corpora_of(table)[0]
        return {
            system: {
                "network": self.network_of(corpus, system).model_dump(),
                "options": self.description(corpus, system).options,
                "training": self.training_of(corpus, system).model_dump(),
            }
            for system in self.systems_of(table)
        }

    def metrics_of(self, table: str) -> list[str]:
        """List the metrics that a table of scores shows, of responses."""
        spec = self.tables[table]
        return spec.metrics if isinstance(spec, ScoreTable) else []

    @property
    def metrics_shown(self) -> list[str]:
        """Every metric that some table or sweep shows, in an order that does not depend on the tables'."""
        of_sweeps = SWEPT if self.sweeps else ()
        return sorted({*of_sweeps, *(metric for table in self.tables for metric in self.metrics_of(table))})

    @property
    def tested(self) -> list[str]:
        """Tables with tests between their rows: those of responses' scores beside published values."""
        return [
            name for name, spec in self.tables.items() if isinstance(spec, ScoreTable) and spec.beside == "published"
        ]

    def tested_on(self, corpus: str) -> list[str]:
        """List the tables of the page with tests on a corpus."""
        return [name for name in self.reported if name in self.tested and corpus in self.corpora_of(name)]

    # --- corpora ---------------------------------------------------------------------------------------------------

    def for_corpus(self, corpus: str) -> "Config":
        """Return the configuration with the overrides of one corpus applied, and its treatment of unknown tokens."""
        override = self.sources[corpus].override
        where = f"sources.{corpus}.override"
        kinds = {section: type(getattr(self, section)) for section in override} | {
            "network": AnyNetwork,
            "decoding": Decoding,
        }
        changed = {
            section: overridden(kinds[section], getattr(self, section), own, where, section)
            for section, own in override.items()
        }
        filtering = changed.get("filtering", self.filtering).of_corpus(self.sources[corpus].unknown)
        return self.model_copy(update=changed | {"filtering": filtering})

    @property
    def sweeps(self) -> dict[str, Sweep]:
        """The analyses that sweep a generated corpus over other rates."""
        return {
            name: validated(Sweep, analysis.options, f"analyses.{name}.options")
            for name, analysis in self.analyses.items()
            if analysis.kind == "one_to_many"
        }

    def sweep_points(self, analysis: str) -> list[SweepPoint]:
        """List the generated corpora of a sweep; a rate that is the source's own is the source itself."""
        sweep = self.sweeps[analysis]
        synthetic = self.sources[sweep.source].synthetic
        return [
            SweepPoint(
                sweep.source if rate == getattr(synthetic, axis) else f"{sweep.source}-{axis}-{100 * rate:.4g}",
                axis,
                rate,
            )
            for axis in ("one_to_many", "many_to_one")
            for rate in getattr(sweep, axis)
        ]

    def with_rows(self) -> "Config":
        """Return this configuration with what `rows:` leaves of tables, figures and sweeps (`config.rows`)."""
        if self.rows is None:
            return self
        tables = tables_of_rows(self.tables, self.rows, self.systems)
        analyses = sweeps_of_rows(self.analyses, self.rows, self.systems)
        figures = figures_of_rows(self.figures, analyses, self.rows, self.systems)
        report = self.report.model_copy(
            update={
                "tables": [name for name in self.reported if name in tables],
                "figures": [name for name in self.drawn if name in figures],
            }
        )
        changed = {"tables": tables, "analyses": analyses, "figures": figures, "report": report}
        return self.model_copy(update=changed)

    def with_sweeps(self) -> "Config":
        """Return this configuration with a source added for each point of each sweep."""
        sources = dict(self.sources)
        for name, sweep in self.sweeps.items():
            centre = self.sources[sweep.source]
            assert centre.synthetic is not None  # validated
            for corpus, axis, rate in self.sweep_points(name):
                synthetic = centre.synthetic.model_copy(update={axis: rate})
                sources.setdefault(corpus, centre.model_copy(update={"synthetic": synthetic}))
        return self.model_copy(update={"sources": sources})

    def recorded(self) -> str:
        """Return this configuration as JSON, to be kept with its results.

        It leaves out mirrors, which are folders of one machine, and the sources that follow from a sweep.
        """
        used = {*self.corpora_used, *self.corpora_probed, *(sweep.source for sweep in self.sweeps.values())}
        located: Any = {"mirror": True, "override": {"embeddings": {"mirror"}}}
        sources = {name: located if name in used else True for name in self.sources}
        return self.model_dump_json(
            by_alias=True, exclude={"mirror": True, "sources": sources, "embeddings": {"mirror"}}
        )
