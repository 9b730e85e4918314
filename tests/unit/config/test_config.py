"""The configuration: strict, and helpful where it is wrong."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from pipeline_lib.config import reference
from pipeline_lib.config.corpora import OVERRIDABLE
from pipeline_lib.config.layout import Layout
from pipeline_lib.config.loading import Layer, load, read_yaml
from pipeline_lib.config.papers import TableSpec
from pipeline_lib.config.run import Config
from pipeline_lib.config.settings import Settings
from pipeline_lib.errors import PipelineError

ROOT = Path(__file__).parents[3]
FILE = "papers/own/small.yaml"


def values(**changes: Any) -> dict[str, Any]:
    """A small valid configuration."""
    return {
        "paper": "own",
        "preset": "small",
        "title": "A paper",
        "citation": "Somebody (2020)",
        "corpora": ["small"],
        "seeds": [1, 2],
        "sources": {
            "small": {"reader": "synthetic", "label": "Small", "licence": "own", "synthetic": {}},
            "large": {
                "reader": "table",
                "label": "Large",
                "licence": "own",
                "bundles": [[{"name": "a.csv"}]],
                "override": {"training": {"batch_size": 32}, "embeddings": {"training": {"window": 5}}},
            },
        },
        "systems": {"seq2seq": {"label": "Seq2Seq", "model": "pipeline_lib.models.seq2seq:Seq2Seq"}},
        "tables": {"table2": {"kind": "scores", "title": "Scores", "splits": ["test"], "columns": ["BLEU-1"]}},
        **changes,
    }


def read(values: dict[str, Any]) -> Config:
    return load([Layer(FILE, values)])


def source(**changes: Any) -> dict[str, Any]:
    return {"sources": {"small": values()["sources"]["small"] | changes}}


def system(**changes: Any) -> dict[str, Any]:
    return {"systems": {"seq2seq": values()["systems"]["seq2seq"] | changes}}


def paraphrases(**settings: Any) -> dict[str, Any]:
    return source(reader="paraphrases", synthetic=None, paraphrases=settings)


def table(**changes: Any) -> dict[str, Any]:
    return {"tables": {"table2": values()["tables"]["table2"] | changes}}


def decoded(**changes: Any) -> dict[str, Any]:
    return {"kind": "decoded", "title": "Texts", "from": "paths", "systems": ["seq2seq"]} | changes


def judge(**named: Any) -> dict[str, Any]:
    return {"analyses": {"nll": {"kind": "latents", "judge": named}}}


def fault(changes: dict[str, Any]) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        read(values(**changes))
    assert caught.value.where
    assert caught.value.expected
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("changes", "key", "close"),
    [
        ({"trainig": {}}, "trainig", "training"),
        ({"training": {"batchsize": 3}}, "training.batchsize", "batch_size"),
        ({"embeddings": {"training": {"windw": 3}}}, "embeddings.training.windw", "window"),
        ({"embeddings": {"file": {"nam": "x", "name": "y"}}}, "embeddings.file.nam", "name"),
        (system(trainng={}), "systems.seq2seq.trainng", "training"),
        (source(synthetic={"dialogs": 3}), "sources.small.synthetic.dialogs", "dialogues"),
        (source(bundles=[[{"name": "a", "url": []}]]), "sources.small.bundles.0.0.url", "urls"),
        ({"network": {"hiden": 3}}, "network.hiden", "hidden"),
        ({"network": {"kind": "language_model", "embeding": 3}}, "network.embeding", "embedding"),
        ({"decoding": {"kind": "beam", "sise": 3}}, "decoding.sise", "size"),
        (table(colums=["BLEU-1"]), "tables.table2.colums", "columns"),
        (table(Beside="published"), "tables.table2.Beside", "beside"),
        ({"figures": {"map": {"kind": "latent_map", "titel": "Map", "title": "Map"}}}, "figures.map.titel", "title"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(changes, key, close):
    error = fault(changes)
    assert error.problem == f"unknown key {key!r}"
    assert error.expected == f"did you mean {close!r}?"
    assert error.where == FILE


def test_an_unknown_key_like_no_other_lists_what_there_is():
    assert fault({"keywords": {"zzz": 1}}).expected == "known: most, ties"


def test_a_misspelt_required_key_is_called_unknown_rather_than_missing():
    wrong = {("corpra" if key == "corpora" else key): value for key, value in values().items()}
    with pytest.raises(PipelineError, match=r"unknown key 'corpra' \(1 more\)") as caught:
        read(wrong)
    assert caught.value.expected == "did you mean 'corpora'?"


@pytest.mark.parametrize(
    ("changes", "where", "key", "close"),
    [
        (system(training={"epoch": 1}), "systems.seq2seq.training", "epoch", "epochs"),
        (system(network={"hiden": 1}), "systems.seq2seq.network", "hiden", "hidden"),
        (system(decoding={"max_lenght": 1}), "systems.seq2seq.decoding", "max_lenght", "max_length"),
        (source(override={"filtering": {"unknwn": 1}}), "sources.small.override", "filtering.unknwn", "unknown"),
    ],
)
def test_keys_that_differ_for_one_system_or_corpus_are_checked_at_the_start(changes, where, key, close):
    error = fault(changes)
    assert (error.where, error.problem) == (f"{FILE}, {where}.{key}", f"unknown key {key!r}")
    assert error.expected == f"did you mean {close!r}?"


@pytest.mark.parametrize(
    ("changes", "problem", "expected"),
    [
        ({"seeds": [1, 2, 1]}, "seeds: 1 is listed more than once", "found '[1, 2, 1]'"),
        ({"seeds": []}, "seeds: List should have at least 1 item", "seeds"),
        ({"seeds": [-1]}, "seeds.0: Input should be greater than or equal to 0", "found '-1'"),
        ({"corpora": ["small", "small"]}, "corpora: 'small' is listed more than once", "corpora"),
        ({"corpora": ["smal"]}, "corpora: no source 'smal'; did you mean 'small'?", "config/README.md"),
        ({"training": {"batch_size": "many"}}, "training.batch_size: Input should be a valid integer", "found 'many'"),
        ({"training": {"batch_size": 0}}, "training.batch_size: Input should be greater than 0", "found '0'"),
        ({"training": 3}, "training: Input should be a valid dictionary", "found '3'"),
        ({"filtering": {"context_length": [9, 2]}}, "filtering.context_length: fewest (9) is more than most", "[9, 2]"),
        (
            {"filtering": {"response_length": [0, 9]}},
            "filtering.response_length.0: Input should be greater",
            "found '0'",
        ),
        ({"filtering": {"context_length": [9]}}, "filtering.context_length.1: Field required", "context_length"),
        ({"filtering": {"unknown": "drop"}}, "filtering.unknown: Input should be 'drop_example'", "found 'drop'"),
        ({"filtering": {"min_count": 0}}, "filtering.min_count: Input should be greater than 0", "found '0'"),
        ({"filtering": {"held_out": "new"}}, "filtering.held_out: Input should be 'all', 'unseen_pairs'", "'new'"),
        ({"clustering": {"groups": 1}}, "clustering.groups: Input should be greater than or equal to 2", "found '1'"),
        ({"embeddings": {"source": "file"}}, "embeddings: source 'file' needs `file:`", "embeddings"),
        (source(synthetic=None), "sources.small: reader 'synthetic' needs", "sources.small"),
        (source(reader="table"), "sources.small: reader 'table' needs `bundles:`", "sources.small"),
        (source(label=None), "sources.small.label: Input should be a valid string", "found 'None'"),
        (source(splits={"test": 0.6, "validation": 0.4}), "sources.small: `splits:` hold out every", "sources.small"),
        (
            paraphrases(pairs=[9, 2]),
            "sources.small.paraphrases.pairs: fewest (9) is more than most (2)",
            "found '[9, 2]'",
        ),
        (
            paraphrases(test=0.9),
            "sources.small.paraphrases: `validation:` (0.1) and `test:` (0.9) hold out every",
            "paraphrases",
        ),
        (source(override={"seeds": [3]}), "sources.small.override: 'seeds' cannot differ between corpora", "override"),
        (source(override={"training": 3}), "training: 3", "keys of that section"),
        (source(override={"training": None}), "training: None", "keys of that section"),
        (
            {"analyses": {"probe": {"kind": "pair_probe", "corpus": "large"}}}
            | {
                "sources": values()["sources"] | {"large": values()["sources"]["large"] | {"override": {"training": 3}}}
            },
            "training: 3",
            "keys of that section",
        ),
        (system(model="Seq2Seq"), "systems.seq2seq.model: String should match pattern", "found 'Seq2Seq'"),
        (system(training={"optimiser": {"clip": -1}}), "optimiser.clip: Input should be greater than 0", "found '-1'"),
        (
            system(starts_from="seq"),
            "systems.seq2seq.starts_from: no trained system 'seq'; did you mean 'seq2seq'?",
            "",
        ),
        (system(starts_from="seq2seq"), "systems.seq2seq.starts_from: a circle, seq2seq from seq2seq", ""),
        (
            judge(system="seq", seed=9),
            "analyses.nll.judge.system: no trained system 'seq'; did you mean 'seq2seq'?",
            "",
        ),
        (
            {"analyses": {"a": {"kind": "latents", "corpus": "smal"}}},
            "analyses.a.corpus: no source 'smal'; did you",
            "",
        ),
        (judge(system="seq2seq", seed=1), "analyses.nll.judge.seed: 1 is one of `seeds:`; a judge is none of", ""),
        (
            judge(system="seq2seq", seed=9) | system(reads={"group": "clusters/kmeans"}),
            "analyses.nll.judge.system: 'seq2seq' has `reads:`; a judge is given texts alone",
            "",
        ),
        (
            {"analyses": {"paths": {"kind": "paths"}}, "tables": {"decoded": decoded(systems=None)}},
            "tables.decoded: `systems:` is missing; not every system has such an analysis",
            "",
        ),
        (
            {"analyses": {"paths": {"kind": "paths"}}, "tables": {"decoded": decoded(beside="table2")}},
            "tables.decoded.beside: no table of kind decoded 'table2'",
            "",
        ),
        ({"units": {"kind": "pieces"}}, "units: `kind: pieces` needs `pieces:`", "units"),
        (system(units="pieces"), "no list of word pieces for corpus 'small'", "`units: {pieces: <file>}`"),
        ({"training": {"annealing": {"steps": 9}}}, "training.annealing: Unable to extract tag", "'steps': 9"),
        (system(reads={"group": "users"}), "systems.seq2seq.reads.group: String should match", "found 'users'"),
        (table(kind="score"), "tables.table2: Input tag 'score' found using 'kind' does not match", "tables.table2"),
        (table(splits=[]), "tables.table2.splits: List should have at least 1 item", "tables.table2.splits"),
        (table(splits=["test_unseen"]), "tables.table2.splits.0: Input should be 'train'", "found 'test_unseen'"),
        (table(systems=["seq"]), "tables.table2.systems: no system 'seq'; did you mean 'seq2seq'?", "config/README.md"),
        (table(corpora=["smal"]), "tables.table2.corpora: no source 'smal'; did you mean 'small'?", "config/README.md"),
        ({"tables": {"decoded": decoded(**{"from": "x"})}}, "tables.decoded.from: no analysis 'x'", "config/README.md"),
        (
            {"tables": {"table4": {"kind": "keyword_choice", "title": "", "from": "x", "systems": ["seq2seq"]}}},
            "tables.table4.from: no analysis 'x'",
            "",
        ),
        (
            {"tables": {"table1": {"kind": "counts", "title": "", "columns": {}, "systems": ["seq2seq"]}}},
            "tables.table1: `systems:` means nothing here",
            "",
        ),
        (
            {"tables": {"table6": {"kind": "transfer", "title": "", "from": "x", "systems": ["seq2seq"], "digits": 2}}},
            "unknown key 'tables.table6.digits'",
            "",
        ),
        ({"report": {"tables": ["table3"]}}, "report.tables: no table 'table3'; did you mean 'table2'?", "README"),
        ({"figures": {"map": {"kind": "latent_map", "title": "", "of": "latents"}}}, "figures.map.of: no analysis", ""),
        ({"metrics": {"bootstrap": 39}}, "metrics.bootstrap: Input should be greater than or equal to 40", "39"),
        (
            {"decoding": {"kind": "sampling", "temperature": 1e-300}},
            "decoding.temperature: Input should be greater than or equal to 0.01",
            "found '1e-300'",
        ),
        (
            {"decoding": {"kind": "beam", "size": 1001}},
            "decoding.size: Input should be less than or equal to 1000",
            "found '1001'",
        ),
        ({"decoding": 3}, "decoding: Input should have a kind that there is", "found '3'"),
        ({"systems": {}}, "systems: Dictionary should have at least 1 item", "systems"),
        ({"systems": {"a/b": system()["systems"]["seq2seq"]}}, "systems.a/b.[key]: String should match", "a/b"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected_and_found(changes, problem, expected):
    error = fault(changes)
    assert error.problem.startswith(problem)
    assert expected in error.expected


def test_a_missing_key_is_named():
    wrong = values()
    del wrong["sources"]["small"]["licence"]
    with pytest.raises(PipelineError, match=r"sources.small.licence: Field required"):
        read(wrong)


def test_settings_cannot_be_changed_after_they_were_checked():
    with pytest.raises(ValueError, match="frozen"):
        read(values()).training.batch_size = 3  # type: ignore[misc]


def test_the_values_of_a_corpus_and_then_of_a_system_override_the_common_ones():
    config = read(
        values(
            corpora=["small", "large"],
            training={"batch_size": 16, "patience": 2},
            systems={
                "plain": system()["systems"]["seq2seq"],
                "own": system(label="Own", training={"patience": 1}, network={"latent": 9})["systems"]["seq2seq"],
            },
        )
    )
    found = {
        (corpus, name): (training.batch_size, training.patience, config.network_of(corpus, name).latent)
        for corpus in ("small", "large")
        for name in ("plain", "own")
        if (training := config.training_of(corpus, name))
    }
    assert found == {
        ("small", "plain"): (16, 2, 64),
        ("small", "own"): (16, 1, 9),
        ("large", "plain"): (32, 2, 64),
        ("large", "own"): (32, 1, 9),
    }
    assert config.for_corpus("large").embeddings.training.window == 5
    assert config.for_corpus("large").embeddings.training.epochs == config.embeddings.training.epochs
    assert config.training.batch_size == 16
    filtering = config.filtering.of_corpus(
        config.sources["small"].unknown
    )  # all that is not overridden but the corpus's
    assert config.for_corpus("small") == config.model_copy(update={"filtering": filtering})


def test_a_system_over_pieces_takes_the_list_of_its_corpus():
    changes = source(override={"units": {"pieces": "a.txt"}}) | system(units="pieces")
    config = read(values(**changes))
    assert config.units_of("small", "seq2seq") == "pieces"
    assert config.for_corpus("small").units.pieces == "a.txt"


def test_a_section_of_another_kind_takes_nothing_from_the_one_that_it_replaces():
    annealed = {"kind": "sigmoid", "midpoint": 30.0, "steepness": 0.5}
    config = read(
        values(
            training={"annealing": annealed, "optimiser": {"learning_rate": 0.5, "clip": 1.0}},
            systems={
                "plain": system()["systems"]["seq2seq"],
                "later": system(label="L", training={"annealing": {"midpoint": 40.0}})["systems"]["seq2seq"],
                "without": system(label="W", training={"annealing": {"kind": "none"}})["systems"]["seq2seq"],
                "sgd": system(label="S", training={"optimiser": {"kind": "sgd", "clip": None}})["systems"]["seq2seq"],
            },
        )
    )
    found = {name: config.training_of("small", name) for name in config.systems}
    assert found["plain"].annealing.model_dump() == annealed
    assert found["later"].annealing.model_dump() == annealed | {"midpoint": 40.0}
    assert found["without"].annealing.model_dump() == {"kind": "none"}
    rates = {name: (training.optimiser.learning_rate, training.optimiser.clip) for name, training in found.items()}
    assert rates == {"plain": (0.5, 1.0), "later": (0.5, 1.0), "without": (0.5, 1.0), "sgd": (1e-3, None)}


def test_weights_that_saw_a_corpus_say_so_on_it_alone_and_a_corpus_that_there_is_not_is_refused():
    def having_seen(corpus):
        return system(options={"weights": "/some", "seen": [corpus]})

    config = read(values(**having_seen("large")))
    assert config.description("large", "seq2seq").options == {"weights": "/some", "seen": ["large"]}
    assert config.description("small", "seq2seq").options == {"weights": "/some"}
    with pytest.raises(PipelineError, match=r"seq2seq\.options\.seen: no source 'larger'") as caught:
        read(values(**having_seen("larger")))
    assert "large" in str(caught.value)


def test_every_section_survives_the_command_line():
    config = read(values(corpora=["large"]))
    sections = [value for _, value in config if isinstance(value, Settings)]
    sections += [*config.sources.values(), *config.systems.values(), *config.tables.values(), config]
    sections += [
        config.training_of("large", "seq2seq"),
        config.decoding_of("large", "seq2seq"),
        config.layout("table2"),
    ]
    sections += [config.description("large", "seq2seq")]
    assert len(sections) > 12
    for section in sections:
        brief = isinstance(section, TableSpec | Layout)  # of these, a stage is told only what is not the default
        text = section.model_dump_json(by_alias=True, exclude_defaults=brief)
        assert TypeAdapter(type(section)).validate_json(text) == section


def test_every_overridable_section_is_a_section():
    for name in OVERRIDABLE:
        assert isinstance(getattr(read(values()), name), Settings)


@pytest.mark.parametrize(
    ("content", "problem", "line"),
    [
        (b"seeds: [1,\n", "not readable as YAML", ":2"),
        (b"a: b: c\n", "not readable as YAML", ":1"),
        (b"\xff", "not readable as YAML", ""),
        (b"- a\n- b\n", "holds a list", ""),
    ],
)
def test_a_file_that_is_no_yaml_mapping_is_named_with_the_line(tmp_path, content, problem, line):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=problem) as caught:
        read_yaml(path)
    assert caught.value.where == f"{path}{line}"


def test_a_missing_file_is_named_and_an_empty_one_holds_nothing(tmp_path):
    with pytest.raises(PipelineError, match="No such file") as caught:
        read_yaml(tmp_path / "none.yaml")
    assert caught.value.where == str(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert read_yaml(tmp_path / "empty.yaml") == {}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (reference.SCHEMA, reference.schema_text),
        (reference.README, reference.readme_text),
    ],
    ids=["schema", "README"],
)
def test_generated_files_are_in_step_with_the_code(path, text):
    remedy = "run `python -m pipeline_lib reference`"
    assert path.read_text(encoding="utf-8") == text(), remedy


def test_the_reference_has_a_meaning_for_every_key():
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.*) \|$", reference.readme_text(), re.MULTILINE)
    assert [row for row in rows if not all(cell.strip() for cell in row)] == []
    names = {"x_max", "sha256", "dialogues", "like", "beside", "from", "perplexity", "threshold", "one_to_many"}
    assert {key for key, *_ in rows} >= {*Config.model_fields, *names}


def test_the_schema_accepts_and_refuses_what_the_code_does():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(reference.schema_text()))
    assert validator.is_valid(values())
    for wrong in ({"trainig": {}}, system(trainng={}), {"seeds": []}, table(kind="score"), table(colums=[])):
        assert not validator.is_valid(values(**wrong))


def test_systems_that_differ_in_label_and_decoding_alone_are_trained_as_one():
    own = system()["systems"]["seq2seq"]
    config = read(
        values(
            systems={
                "first": own,
                "sampled": own | {"label": "Sampled", "decoding": {"kind": "sampling"}},
                "longer": own | {"label": "Longer", "training": {"epochs": 3}},
                "wider": own | {"label": "Wider", "network": {"hidden": 9}},
            }
        )
    )
    corpus = config.corpora[0]
    found = {name: config.trained_as(corpus, name) for name in config.trainable}
    assert found == {"first": "first", "sampled": "first", "longer": "longer", "wider": "wider"}
