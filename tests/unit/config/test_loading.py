"""From files to a configuration: which value wins, which file is named, and what may not be written any more."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline_lib.config.catalogue import command, owner, presets
from pipeline_lib.config.loading import Layer, layers_of, load, read_run
from pipeline_lib.config.run import Config
from pipeline_lib.config.training import Optimiser
from pipeline_lib.errors import PipelineError
from unit.refusals import refusal

ROOT = Path(__file__).parents[3]
SYNTHETIC = {"reader": "synthetic", "label": "Small", "licence": "own", "synthetic": {}}
PAPER = {
    "title": "A paper",
    "citation": "Somebody (2020)",
    "systems": {"one": {"label": "One", "model": "m:One", "options": {"size": 1, "deep": {"a": 1, "b": 2}}}},
    "tables": {"table2": {"kind": "scores", "title": "Scores", "splits": ["test"], "columns": ["BLEU-1"]}},
}
SMALL = {"corpora": ["small"], "seeds": [1], "results": "results/own"}
CHOSEN = {"paper": "own", "preset": "small"}


class Project:
    """A folder with papers and a catalogue of corpora."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("config/corpora.yaml", {"small": SYNTHETIC, "other": SYNTHETIC})
        self.write("papers/own/paper.yaml", PAPER)
        self.write("papers/own/small.yaml", SMALL)

    def write(self, name: str, values: dict[str, Any]) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return path

    def read(self, **given: Any) -> Config:
        return read_run(self.root, CHOSEN | given)

    def fault(self, **given: Any) -> PipelineError:
        return refusal(lambda: self.read(**given))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# --- layers ----------------------------------------------------------------------------------------------------------


def test_each_layer_wins_over_those_before_it(project, tmp_path):
    """Defaults, paper, preset below, preset, config.yaml, --configfile, --config: each sets what the next leaves."""
    keys = ("epochs", "patience", "batch_size", "validate_every", "checkpoint_every", "bucket_batches")
    places = [dict.fromkeys(keys[: len(keys) - i], i + 2) for i in range(len(keys))]
    project.write("papers/own/paper.yaml", PAPER | {"training": places[0]})
    project.write("papers/own/small.yaml", SMALL | {"training": places[1]})
    project.write("papers/own/large.yaml", {"extends": "small", "training": places[2]})
    files = [tmp_path / "config.yaml", tmp_path / "overlay.yaml"]
    for file, values in zip(
        files, (CHOSEN | {"preset": "large", "training": places[3]}, {"training": places[4]}), strict=True
    ):
        project.write(file.name, values)
    joined = CHOSEN | {"preset": "large", "training": places[3] | places[4] | places[5]}
    training = read_run(project.root, joined, files).training
    assert [getattr(training, key) for key in keys] == [7, 6, 5, 4, 3, 2]
    assert training.max_steps is None


def test_a_preset_is_laid_over_no_other_unless_it_says_so(project):
    project.write("papers/own/small.yaml", SMALL | {"training": {"epochs": 3}})
    project.write("papers/own/large.yaml", SMALL | {"results": "results/large"})
    assert project.read().training.epochs == 3
    assert project.read(preset="large").training.epochs == 50


def test_the_corpora_of_the_catalogue_are_there_and_may_be_changed_or_added_to(project):
    own = {"small": {"synthetic": {"dialogues": 7}}, "mine": SYNTHETIC}
    config = project.read(sources=own)
    assert list(config.sources) == ["small", "other", "mine"]
    assert config.sources["small"].synthetic.dialogues == 7
    assert config.sources["small"].label == "Small"


def test_numbers_of_the_command_line_may_be_texts_as_snakemake_reads_them(project, tmp_path):
    """`--config seeds=[1,2] training={batch_size: 9}` reaches the workflow as lists and sections of texts."""
    file = project.write("config.yaml", CHOSEN)
    joined = CHOSEN | {"seeds": ["1", "2"], "training": {"batch_size": "9", "epochs": "0.5"}}
    config = read_run(project.root, joined, [file])
    assert (config.seeds, config.training.batch_size, config.training.epochs) == ([1, 2], 9, 0.5)


def test_options_of_the_command_line_reach_a_job_as_a_file_would_give_them(project):
    """No section gives `options:` a type, and a job refuses the text "2" where it wants a number."""
    file = project.write("config.yaml", CHOSEN)
    given = {"groups": "2", "rate": "0.5", "tie": "true", "none": "null", "name": "half", "day": "2026-99-99"}
    read = {"groups": 2, "rate": 0.5, "tie": True, "none": None, "name": "half", "day": "2026-99-99"}
    joined = CHOSEN | {"systems": {"one": {"options": {"list": ["3"], "deep": given}}}}
    options = read_run(project.root, joined, [file]).systems["one"].options
    assert json.dumps([options["list"], options["deep"]]) == json.dumps([[3], {"a": 1, "b": 2} | read])


def test_systems_keep_the_order_of_their_files_whatever_order_the_command_line_gives(project, tmp_path):
    later = {"two": {"label": "Two", "model": "m:Two"}}
    file = project.write("config.yaml", CHOSEN | {"systems": later})
    joined = CHOSEN | {"systems": later | {"one": {"label": "First"}}}
    assert list(read_run(project.root, joined, [file]).systems) == ["one", "two"]


def test_the_file_that_names_another_kind_takes_nothing_over_from_the_file_before(project):
    first = {
        "decoding": {"kind": "beam", "size": 4},
        "training": {"optimiser": {"kind": "adam", "learning_rate": 0.003}},
    }
    second = {"decoding": {"kind": "sampling", "temperature": 0.7}, "training": {"optimiser": {"kind": "sgd"}}}
    files = [project.write("config.yaml", CHOSEN | first), project.write("overlay.yaml", second)]
    as_snakemake_joins = CHOSEN | {
        "decoding": first["decoding"] | second["decoding"],
        "training": {"optimiser": {"kind": "sgd", "learning_rate": 0.003}},
    }
    config = read_run(project.root, as_snakemake_joins, files)
    assert (config.decoding.kind, config.decoding.temperature) == ("sampling", 0.7)
    assert config.training.optimiser.learning_rate == Optimiser(kind="sgd").learning_rate
    over = as_snakemake_joins | {"training": {"optimiser": {"kind": "sgd", "learning_rate": 0.5}}}
    assert read_run(project.root, over, files).training.optimiser.learning_rate == 0.5


def test_a_section_of_another_kind_takes_nothing_over_from_the_one_before(project):
    project.write("papers/own/small.yaml", SMALL | {"network": {"hidden": 9, "decoder_layers": 3}})
    assert project.read().network.kind == "recurrent"
    network = project.read(network={"kind": "language_model", "latent": 5}).network
    assert (network.kind, network.hidden, network.latent) == ("language_model", 256, 5)
    own = {"one": PAPER["systems"]["one"] | {"network": {"kind": "language_model", "embedding": 7}}}
    config = project.read(systems=own)
    assert config.network_of("small", "one").embedding == 7
    assert config.network.hidden == 9


@pytest.mark.parametrize("file", ["papers/own/paper.yaml", "papers/own/small.yaml", "overlay.yaml", "--config"])
def test_a_fault_names_the_file_that_holds_it(project, file):
    wrong = {"training": {"epoch": 3}}
    overlay = project.write("overlay.yaml", wrong if file == "overlay.yaml" else {})
    if file.startswith("papers"):
        project.write(file, (PAPER if file.endswith("paper.yaml") else SMALL) | wrong)
    given = CHOSEN | ({} if file.startswith("papers") else wrong)
    with pytest.raises(PipelineError, match=r"unknown key 'training\.epoch'") as caught:
        read_run(project.root, given, [overlay])
    assert caught.value.where in (file, str(project.root / file))
    assert caught.value.expected == "did you mean 'epochs'?"


def test_a_name_that_does_not_exist_names_the_file_that_uses_it(project):
    project.write("papers/own/small.yaml", SMALL | {"tables": {"table2": {"systems": ["won"]}}})
    error = project.fault()
    assert error.problem == "tables.table2.systems: no system 'won'; did you mean 'one'?"
    assert error.where == "papers/own/small.yaml"


def test_a_missing_key_names_the_file_that_has_the_section(project):
    project.write("papers/own/small.yaml", SMALL | {"tables": {"table3": {"kind": "scores", "title": "T"}}})
    error = project.fault()
    assert error.problem.startswith("tables.table3.splits: Field required")
    assert error.where == "papers/own/small.yaml"


# --- papers and presets ----------------------------------------------------------------------------------------------


def test_an_unknown_paper_or_preset_lists_those_there_are(project):
    project.write("papers/own/large.yaml", SMALL)
    assert "'own'" in project.fault(paper="owm").expected
    error = project.fault(preset="smal")
    assert "did you mean 'small'?" in error.expected
    assert "one of small, large" in error.expected


def test_without_a_paper_or_a_preset_the_key_is_asked_for(project):
    for key in ("paper", "preset"):
        error = project.fault(**{key: None})
        assert key in error.problem
        assert f"`{key}:`" in error.expected


def test_a_preset_that_extends_one_that_does_not_exist_is_named(project):
    project.write("papers/own/large.yaml", {"extends": "smal"})
    error = project.fault(preset="large")
    assert error.where == "papers/own/large.yaml"
    assert "did you mean 'small'?" in error.expected


def test_two_presets_may_not_write_to_one_results_folder(project):
    project.write("papers/copied/paper.yaml", PAPER)
    project.write("papers/copied/small.yaml", SMALL)
    for paper, other in (("copied", "own"), ("own", "copied")):  # neither may overwrite the other
        error = project.fault(paper=paper)
        assert error.where == f"papers/{paper}/small.yaml"
        assert error.problem == f"results: 'results/own' is the folder of papers/{other}/small.yaml too"
        for copied in ("copied", "own"):  # which of them is the copy, only the user knows
            assert f"`results: results/{copied}` in papers/{copied}/small.yaml" in error.remedy
    assert project.read(paper="copied", results="results/copied").results == "results/copied"
    project.write("papers/copied/small.yaml", SMALL | {"results": "results/copied"})
    project.write("papers/copied/large.yaml", {"extends": "small"})  # of the same chain
    assert project.read(paper="copied", preset="large").results == "results/copied"


def test_presets_that_extend_each_other_in_a_circle_are_named(project):
    project.write("papers/own/a.yaml", {"extends": "b"})
    project.write("papers/own/b.yaml", {"extends": "a"})
    assert "a → b → a" in project.fault(preset="a").problem


@pytest.mark.parametrize("extends", [["small"], 3, {"preset": "small"}])
def test_what_a_preset_extends_is_one_name(project, extends):
    project.write("papers/own/large.yaml", {"extends": extends})
    assert project.fault(preset="large").where == "papers/own/large.yaml"


def test_extends_means_nothing_outside_a_preset(project):
    assert "unknown key 'extends'" in project.fault(extends="small").problem


# --- systems that are like others ------------------------------------------------------------------------------------


def systems(**entries: Any) -> dict[str, Any]:
    return {"systems": entries}


def test_a_system_like_another_differs_in_what_it_gives_section_within_section(project):
    two = {"like": "one", "label": "Two", "options": {"deep": {"b": 3}}}
    config = project.read(**systems(two=two, three={"like": "two", "label": "Three", "options": {"size": 9}}))
    assert config.systems["two"].options == {"size": 1, "deep": {"a": 1, "b": 3}}
    assert config.systems["three"].options == {"size": 9, "deep": {"a": 1, "b": 3}}
    assert config.systems["three"].model == "m:One"
    assert config.systems["one"].options == PAPER["systems"]["one"]["options"]


def test_what_a_preset_changes_of_a_system_holds_for_those_that_are_like_it(project):
    project.write("papers/own/paper.yaml", PAPER | systems(**PAPER["systems"], two={"like": "one", "label": "Two"}))
    project.write("papers/own/small.yaml", SMALL | systems(one={"options": {"size": 5}}))
    assert project.read().systems["two"].options["size"] == 5


def test_a_system_may_be_like_one_of_another_paper_which_may_be_like_one_of_its_own(project):
    first = {"label": "First", "model": "m:First", "options": {"a": 1}}
    declared = PAPER | systems(first=first, second={"like": "first", "label": "Second", "options": {"b": 2}})
    project.write("papers/other/paper.yaml", declared)
    borrowed = project.read(**systems(borrowed={"like": "other/second", "options": {"b": 3}})).systems["borrowed"]
    assert (borrowed.label, borrowed.model, borrowed.options) == ("Second", "m:First", {"a": 1, "b": 3})


@pytest.mark.parametrize(
    ("entries", "message", "expected"),
    [
        ({"a": {"like": "b"}, "b": {"like": "a"}}, "a → b → a", "a chain"),
        ({"a": {"like": "a"}}, "a → a", "a chain"),
        ({"a": {"like": "onne"}}, "no system 'onne'", "did you mean 'one'?"),
        ({"a": {"like": "owm/one"}}, "no paper 'owm'", "did you mean 'own'?"),
        ({"a": {"like": "own/two"}}, "no system 'two'", "known: a, one"),
    ],
)
def test_a_system_like_nothing_or_like_itself_is_an_error(project, entries, message, expected):
    error = project.fault(**systems(**entries))
    assert message in error.problem
    assert expected in error.expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"label": "A"}, "gives none of model, function, responses, baseline; a system is exactly one"),
        ({"label": "A", "model": "m:A", "baseline": "human"}, "gives model and baseline of"),
        ({"label": "A", "function": "f"}, "String should match pattern"),
        ({"label": "A", "baseline": "robot"}, "Input should be 'random', 'human'"),
        (
            {"label": "A", "responses": "a.csv", "training": {"epochs": 1}},
            "`training:` has a meaning for a system with",
        ),
        ({"label": "A", "baseline": "human", "reads": {"group": "clusters/kmeans"}}, "`reads:` has a meaning"),
    ],
)
def test_a_system_is_exactly_one_of_four_sorts(project, entry, message):
    error = project.fault(**systems(a=entry))
    assert message in error.problem
    assert error.problem.startswith("systems.a")


# --- tables ----------------------------------------------------------------------------------------------------------


def test_a_table_without_systems_has_every_row_but_those_that_only_tables_name(project):
    own = systems(
        two={"label": "Two", "baseline": "random"},
        three={"label": "Three", "baseline": "human"},
        four={"like": "one", "only_named": True, "label": "Four"},
    )
    kinds = {"texts": {"from": "near"}, "ratings": {"aspects": {"fit": "?"}}, "costs": {}, "settings": {"columns": {}}}
    tables = {kind: {"kind": kind, "title": kind} | keys for kind, keys in kinds.items()}
    tables["named"] = PAPER["tables"]["table2"] | {"systems": {"four": "Vier", "one": "Eins"}}
    tables["counts"] = {"kind": "counts", "title": "", "columns": {"words": "vocabulary"}}
    config = project.read(**own, tables=tables, analyses={"near": {"kind": "contradictions"}})
    assert {name: config.systems_of(name) for name in config.tables} == {
        "table2": ["one", "two", "three"],
        "texts": ["one", "two"],  # beside every answer is the reference already
        "ratings": ["one", "three"],
        "costs": ["one", "two", "three"],
        "settings": ["one"],
        "named": ["four", "one"],
        "counts": [],
    }
    assert [system.label for system in config.layout("named").systems.values()] == ["Vier", "Eins"]
    assert config.layout("texts").seeds == [1]


def test_a_table_has_its_own_corpora_or_those_of_the_run(project):
    config = project.read(tables={"table2": {"corpora": ["other"]}, "table3": PAPER["tables"]["table2"]})
    assert (config.corpora_of("table2"), config.corpora_of("table3")) == (["other"], ["small"])
    assert config.layout("table2").corpora == {"other": "Small"}


def test_a_setting_that_a_table_does_not_show_is_no_part_of_its_layout(project):
    def layout(**options: Any) -> str:
        own = systems(one=PAPER["systems"]["one"] | {"options": options, "training": {"epochs": 1 + len(options)}})
        return project.read(**own).layout("table2").model_dump_json(exclude_defaults=True)

    assert layout(size=3, more=1) == layout()
    assert "options" not in layout()


# --- what is written otherwise now -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "key", "new"),
    [
        ({"external_systems": {"llm": {"label": "L", "responses": "x"}}}, "external_systems", "responses: …"),
        ({"ablations": {}}, "ablations", "like: sepacvae, only_named: true"),
        ({"human": {"contexts": 3}}, "human", "ratings: {contexts"),
        ({"cases": {"contexts": 3}}, "cases", "analyses: {contradictions: {options: {…}}}"),
        ({"sweep": None}, "sweep", "analyses: {one_to_many: {options: {…}}}"),
        ({"tables": {"table2": ["ppl"]}}, "tables.table2", "tables: {table2: {columns: […]}}"),
        ({"tables": {"extra": ["kl"]}}, "tables.extra", "tables: {table2: {extra: […]}}"),
        ({"tables": {"digits": 2}}, "tables.digits", "tables: {table2: {digits: 2}}"),
        ({"report": {"parts": ["tables"]}}, "report.parts", "report: {tables: […]"),
        (systems(one={"clusters": "kmeans"}), "systems.one.clusters", "reads: {group: clusters/kmeans}"),
        (systems(one={"model": "baseline:random"}), "systems.one.model", "baseline: random"),
        (systems(one={"model": "function:a.b"}), "systems.one.model", "function: a.b"),
    ],
)
def test_a_form_of_an_earlier_version_is_an_error_that_shows_the_new_one(project, old, key, new):
    error = project.fault(**old)
    assert key in error.problem
    assert "earlier version" in error.problem
    assert new in error.expected


@pytest.mark.parametrize("file", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda path: path.stem)
def test_a_file_that_was_laid_over_the_configuration_names_the_preset_that_it_is_now(file):
    if file.name == "corpora.yaml":
        return
    with pytest.raises(PipelineError) as caught:
        read_run(ROOT, {"paper": "sepacvae", "preset": "small", **yaml.safe_load(file.read_text())}, [file])
    [named] = [
        preset
        for preset in presets(ROOT)
        if preset.paper == "sepacvae"  # another paper's command says PAPER=
        and f"make table2 PRESET={preset.name}" in caught.value.expected.split(", or ")
    ]
    assert named.results
    assert caught.value.where == str(file)


# --- whose a file is -------------------------------------------------------------------------------------------------


def test_a_file_belongs_to_the_preset_whose_results_folder_is_the_nearest_above_it(project):
    project.write("papers/own/deep.yaml", {"extends": "small", "results": "results/own/deep"})
    project.write("papers/other/paper.yaml", PAPER)
    project.write("papers/other/small.yaml", SMALL | {"results": "results"})
    found = {
        target: preset and (preset.paper, preset.name)
        for target in (
            "results/own/tables/a.csv",
            "results/own/deep/x",
            "results/tables/a.csv",
            "results/owner/x",
            "src/x",
        )
        if (preset := owner(project.root, target)) or True
    }
    assert found == {
        "results/own/tables/a.csv": ("own", "small"),
        "results/own/deep/x": ("own", "deep"),
        "results/tables/a.csv": ("other", "small"),
        "results/owner/x": ("other", "small"),
        "src/x": None,
    }


def test_a_command_says_what_config_yaml_does_not(project):
    given = {"paper": "sepacvae", "preset": "small"}
    assert command("sepacvae", "small", "results/x", given) == "snakemake --cores 8 results/x"
    assert command("own", "small", "results/x", given) == "snakemake --cores 8 --config paper=own -- results/x"
    assert command("own", "large", "x", given) == "snakemake --cores 8 --config paper=own preset=large -- x"


def test_the_layers_of_a_run_are_the_catalogue_the_paper_and_the_preset(project):
    layers = layers_of(project.root, "own", "small")
    assert [layer.where for layer in layers] == [
        "config/corpora.yaml",
        "papers/own/paper.yaml",
        "papers/own/small.yaml",
    ]
    assert load([*layers, Layer("given", CHOSEN)]).title == "A paper"
