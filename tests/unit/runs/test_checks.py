"""Mistakes in an overlay are found before anything runs, with file, key, value and the nearest valid one."""

from pathlib import Path
from typing import get_args

import pytest

from pipeline_lib.config.loading import layers_of_run, load, place_of, read_yaml
from pipeline_lib.config.run import Config
from pipeline_lib.config.training import Optimiser
from pipeline_lib.config.unusual import USUAL_RATES, unusual
from pipeline_lib.errors import PipelineError
from pipeline_lib.runs import checks
from pipeline_lib.runs.checks import check_files, check_package, check_responses, check_run, check_training
from pipeline_lib.stage.declared import declared, phase_names
from unit.refusals import refusal

ROOT = Path(__file__).parents[3]
CHOSEN = "paper: sepacvae\npreset: small\n"
LONG = "r" * 256
MODEL = """
from pipeline_lib.models import cvae
from pipeline_lib.models.cvae import CVAE
from pipeline_lib.config.settings import Settings

WIDEST = 64


class Mine(CVAE):
    class Options(CVAE.Options):
        width: int = WIDEST


class Loose:
    pass


class Computed(cvae.CVAE):
    class Options(cvae.CVAE.Options):
        depth: int = 1
"""


def multiplied(first: str, level: str, levels: int) -> str:
    """YAML whose anchors hold each other: some lines that mean many thousands of values."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{i}: &a{i} {level.format(f'*a{i - 1}')}" for i in range(1, levels + 1)]
    return "\n".join(lines)


class Overlay:
    """A file that is laid over the default run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "overlay.yaml"
        (folder / "config.yaml").write_text(CHOSEN)

    def layers(self, text: str) -> list:
        self.path.write_text(text)
        files = [self.path.parent / "config.yaml", self.path]
        given: dict = {}
        for file in files:
            given |= read_yaml(file)
        return layers_of_run(ROOT, given, files)

    def read(self, text: str) -> Config:
        layers = self.layers(text)
        config = load(layers, ROOT / "papers")
        check_run(config, layers)
        return config

    def fault(self, text: str) -> PipelineError:
        error = refusal(lambda: self.read(text))
        assert str(self.path) in error.where
        return error


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    return Overlay(tmp_path)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("systems: {sepacvae: {options: {group: 8}}}", ["systems.sepacvae.options.group'", "mean 'groups'"]),
        ("systems: {cvae: {options: {bow: 3}}}", ["systems.cvae.options.bow", "'3'"]),
        ("systems: {seq2seq: {options: {groups: 8}}}", ["unknown key 'systems.seq2seq.options.groups'"]),
        ("systems: {cvae: {model: pipeline_lib.models.cvae:CVEA}}", ["systems.cvae.model: no class 'CVEA'", "'CVAE'"]),
        ("systems: {cvae: {model: pipeline_lib.models.cave:CVAE}}", ["systems.cvae.model: no module", "models.cave"]),
        ("systems: {cvae: {model: pipeline_lib.models.cvae:PriorNetwork}}", ["cvae.model: PriorNetwork of", "System"]),
        ("systems: {sepacvae: {options: {groups: 0}}}", ["systems.sepacvae.options.groups", "greater than 0", "'0'"]),
        ("systems: {sepacvae: {options: {groups: -8}}}", ["systems.sepacvae.options.groups", "greater than 0", "'-8'"]),
        ("systems: {sepacvae: {options: {groups: true}}}", ["systems.sepacvae.options.groups: true is not a number"]),
        ("systems: {k_cvae_bow: {options: {group_size: 0}}}", ["systems.k_cvae_bow.options.group_size", "'0'"]),
        ("systems: {cvae: {network: {kind: language_model}}}", ["systems.cvae: pipeline_lib.models.cvae:CVAE is not"]),
        ("systems: {cvae: {training: {epoch: 2}}}", ["unknown key 'epoch'", "systems.cvae.training.epoch", "'epochs'"]),
        ("tables: {table2: {columns: [BLUE-1]}}", ["tables.table2.columns: no metric 'BLUE-1'", "'BLEU-1'"]),
        ("tables: {table3: {extra: [oracle ARJ]}}", ["tables.table3.extra: no metric 'ARJ'", "'ARI'"]),
        ("tables: {table1: {columns: {words: vocabluary}}}", ["table1.columns.words: no count 'vocab", "'vocabulary'"]),
        ("tables: {table1: {columns: {n: train.example}}}", ["table1.columns.n: no count", "mean 'train.examples'"]),
        (
            "tables: {sizes: {kind: settings, title: T, columns: {H: network.hiden}}}",
            ["tables.sizes.columns.H: no setting 'network.hiden'", "mean 'network.hidden'"],
        ),
        ("figures: {latent_map: {options: {example: 3}}}", ["figures.latent_map.options.example'", "'examples'"]),
        ("figures: {map: {kind: latent_mpa, title: T}}", ["figures.map.kind: no module 'latent_mpa'", "latent_map"]),
        ("figures: {latent_map: {kind: latent_mpa}}", ["figures.latent_map.title: Field required", "another `kind:`"]),
        ("analyses: {latents: {options: {split: tset}}}", ["analyses.latents.options.split", "found 'tset'"]),
        ("analyses: {distances: {corpus: embedded}}", ["distances.corpus", "'distances' reads no other corpus"]),
        ("training: {epochs: true}", ["training.epochs: true is not a number"]),
        ("training: {optimiser: {clip: false}}", ["training.optimiser.clip: false is not a number"]),
        ("filtering: {context_length: [true, 9]}", ["filtering.context_length.0: true is not a number"]),
        ("systems: {cvae: {label: CVAE+BOW}}", ["systems.cvae_bow.label, systems.cvae.label", "'CVAE+BOW'"]),
        ("systems: {mine: {like: sepacvae}}", ["systems.mine.label, systems.sepacvae.label", "'SepaCVAE'"]),
        ("tables: {table4: {systems: {cvae: A, sepacvae: A}}}", ["tables.table4.systems: 'A' is the label of"]),
        ("tables: {table2: {columns: [kl, ppl, kl]}}", ["tables.table2.columns: 'kl' is listed more than once"]),
        ("tables: {table2: {columns: [kl, ppl]}}", ["tables.table2: `extra:` has 'kl'", "among `columns:` already"]),
        ("tables: {table2: {systems: [cvae, cvae]}}", ["tables.table2.systems: 'cvae' is listed more than once"]),
        ("figures: {run: 7}", ["figures.run", "found '7'"]),
        ("figures: {training: {run: 7}}", ["unknown key 'figures.training.run'"]),
        ("ratings: {run: 7}", ["ratings.run: there is no run with seed 7; `seeds:` are [1, 2]"]),
        (
            "sources: {embedded: {synthetic: {validation: 0.6, test: 0.6}}}",
            ["sources.embedded.synthetic", "`validation:` (0.6) and `test:` (0.6) hold out every dialogue"],
        ),
        (
            "corpora: [paraphrases]\nsources: {paraphrases: {paraphrases: {meanings: 40000, topics: 1}}}",
            ["meanings: 40,000, but `topics: 1`", "sources.paraphrases.paraphrases", "raise `topics`"],
        ),
        ('seeds: ["1", "2"]', ["seeds.0: '1' is text; write the number without quotes"]),
        ("tables: {table2: {columns: [no]}}", ["tables.table2.columns.0", 'quote the word, such as "no"']),
        ("rows: [on]", ["rows.0: YAML reads the words yes, on and true", "quote the word"]),
        ("systems: {cvae: {label: yes}}", ["systems.cvae.label: YAML reads", "quote the word"]),
        ("training: {device: off}", ["training.device: YAML reads", "quote the word"]),
        ("systems: {no: {label: No, baseline: human}}", ["systems.False: a key of type bool"]),
        (f"systems: {{{LONG}: {{label: M, baseline: human}}}}", ["rrr", "at most 100 characters"]),
        (f"results: {Path(__file__)}", ["test_checks.py is a file"]),
        (f"results: {Path(__file__)}/below", ["test_checks.py is a file"]),
        (f"results: results/{LONG}/x", [f"results: a name of 256 bytes, '{LONG}'"]),
        ("results: src/mine", ["results: 'src/mine' holds the files of the project"]),
        ("results: results/..", ["holds the files of the project"]),
        ("systems: {mine: {label: M, responses: 'a.{seed}.csv'}}", ["systems.mine.responses: {seed} is not known"]),
        ("rows: [seq2seq, sepcvae]", ["rows: no system 'sepcvae'", "'sepacvae'"]),
        (
            "rows: [truth, cvae]\nsources: {embedded: {window: {context: 2}}}",
            ["the row 'truth'", "the distribution of 'embedded' is not known", "leave 'truth' out of `rows:`"],
        ),
        (
            "systems: {sepacvae: {options: {winner: random, blocking: false}}}",
            ["systems.sepacvae.options", "`winner: random` has no meaning with `blocking: false`"],
        ),
        ("systems: {mine: {label: M, responses: ''}}", ["systems.mine.responses", "an empty path"]),
        ("embeddings: {source: none}", ["embeddings.source: none, but filtering.known: vectors needs", "'embedded'"]),
        (
            "embeddings: {source: none}\nfiltering: {known: any}\nrows: [k_cvae_bow]",
            ["embeddings.source: none, but systems.k_cvae_bow.reads.group: clusters/kmeans needs"],
        ),
        (
            "corpora: [embedded, again]\n"
            "sources: {embedded: {override: {embeddings: {source: file, file: {name: v.zip}}}},\n"
            "  again: {reader: synthetic, label: Again, licence: own, synthetic: {},\n"
            f"    override: {{embeddings: {{source: file, file: {{name: v.zip, sha256: {'a' * 64}}}}}}}}}}}",
            ["sources.again.override.embeddings.file: 'v.zip' with another checksum", "the corpus 'embedded'"],
        ),
        ("training: {select: ppl_bund}", ["training.select: 'ppl_bund' is not known", "mean 'ppl_bound'"]),
        ("systems: {cvae: {training: {phases: {one: {updates: 2}}}}}", ["cvae.training.phases: 'one'", "'all' alone"]),
        ("rows: [seq2seq]\ndecoding: {candidates: 8}", ["decoding.candidates: seq2seq cannot tell", "closest"]),
        ("rows: []", ["rows: ", "at least 1 item"]),
        ("rows: [cvae, cvae]", ["rows: 'cvae' is listed more than once"]),
        ("a: " + "{a: " * 60 + "1" + "}" * 60, ["a.a.a", "nested too deep"]),
        (multiplied("[1, 1, 1]", "[{0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}]", 7), ["more than 100,000 values"]),
        (multiplied("{x: 1, y: 1}", "{{x: {0}, y: {0}, z: {0}}}", 11), ["more than 100,000 values"]),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_mistake_is_named_with_the_overlay_the_key_and_the_nearest_valid_value(overlay, text, fragments):
    error = overlay.fault(text)
    for fragment in fragments:
        assert fragment in str(error)


@pytest.mark.parametrize("text", ["seeds: [1]\n".encode("utf-16"), ("a: " + "[" * 5000).encode()])
def test_an_overlay_that_no_parser_reads_is_named(overlay, text):
    overlay.path.write_bytes(text)
    with pytest.raises(PipelineError, match="not readable as YAML") as caught:
        read_yaml(overlay.path)
    assert caught.value.where.startswith(str(overlay.path))


# --- a model of the user's own ---------------------------------------------------------------------------------------


@pytest.fixture
def own_model(tmp_path, monkeypatch) -> str:
    """Text of an overlay with a system `mine` over a model that is outside the package; its options are to follow."""
    name = f"own_{tmp_path.name}"  # modules are remembered by their names
    (tmp_path / f"{name}.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    return f"systems: {{mine: {{label: Mine, model: '{name}:Mine', options: %s}}}}"


def test_the_options_of_a_model_outside_the_package_are_checked_with_those_that_it_inherits(overlay, own_model):
    assert overlay.read(own_model % "{width: 3, bow: true}").systems["mine"].options == {"width": 3, "bow": True}
    assert "did you mean 'width'?" in str(overlay.fault(own_model % "{widht: 3}"))
    assert "systems.mine.options.bow" in str(overlay.fault(own_model % "{bow: 7}"))


def test_the_options_of_a_class_whose_source_does_not_tell_are_those_of_the_imported_one(overlay, own_model):
    text = own_model.replace(":Mine", ":Computed")
    assert overlay.read(text % "{depth: 3}").systems["mine"].options == {"depth": 3}
    assert "did you mean 'depth'?" in str(overlay.fault(text % "{dept: 3}"))


def test_a_class_that_is_no_system_is_refused(overlay, own_model):
    error = overlay.fault((own_model % "{}").replace(":Mine", ":Loose"))
    assert error.problem.startswith("systems.mine.model: Loose of ")
    assert "is not a System" in error.problem


@pytest.mark.parametrize(
    ("entry", "fragments"),
    [
        ("function: {0}.anser", ["systems.mine.function: no function 'anser'", "mean 'answer'?"]),
        ("function: {0}x.answer", ["systems.mine.function: no module"]),
        ("function: {0}.answer, options: {{gretting: Hi}}", ["'systems.mine.options.gretting'", "mean 'greeting'?"]),
        ("function: {0}.answer, options: {{greeting: Hi, loud: true}}", []),
        ("function: {0}.anything, options: {{gretting: Hi}}", []),
    ],
)
def test_a_function_and_its_options_are_looked_for_in_its_module(overlay, own_model, tmp_path, entry, fragments):
    [module] = tmp_path.glob("own_*.py")
    module.write_text(
        "def answer(contexts, train, vectors, seed, greeting='', *, loud=False): ...\n"
        "def anything(contexts, train, vectors, seed, **options): ...\n"
    )
    text = f"systems: {{mine: {{label: Mine, {entry.format(module.stem)}}}}}"
    if not fragments:
        assert "mine" in overlay.read(text).systems
    else:
        error = str(overlay.fault(text))
        assert all(fragment in error for fragment in fragments), error


# --- warnings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("training: {optimiser: {learning_rate: 10}}", "training.optimiser.learning_rate: 10 ("),
        ("systems: {cvae: {training: {optimiser: {learning_rate: 1.0e-9}}}}", "systems.cvae.training.optimiser."),
        ("sources: {embedded: {override: {training: {optimiser: {learning_rate: 7}}}}}", "sources.embedded.override."),
        ("training: {phases: {critic: {optimiser: {learning_rate: 7}}}}", "training.phases.critic.optimiser."),
        ("training: {optimiser: {given_learning_rate: 7}}", "training.optimiser.given_learning_rate: 7 ("),
    ],
)
def test_an_unusual_learning_rate_is_allowed_with_a_warning_that_gives_the_usual_range(overlay, text, key):
    layers = overlay.layers(text)
    [warning] = unusual(load(layers, ROOT / "papers"), lambda *keys: place_of(layers, *keys))
    assert warning.startswith(f"Warning: {key}")
    assert str(overlay.path) in warning
    assert "for adam it usually lies between 1e-05 and 0.1" in warning


def test_the_presets_rates_are_usual(overlay):
    sgd = "optimiser: {kind: sgd}, phases: {all: {optimiser: {learning_rate: 1.0}}}"
    for text in (
        "training: {optimiser: {kind: sgd, learning_rate: 1.0}}",
        f"sources: {{embedded: {{override: {{training: {{{sgd}}}}}}}}}",
    ):
        assert list(unusual(overlay.read(text), lambda *keys: "")) == []


def test_every_kind_of_optimiser_has_a_usual_range():
    assert set(USUAL_RATES) == set(get_args(Optimiser.model_fields["kind"].annotation))


# --- responses made elsewhere ----------------------------------------------------------------------------------------


def test_all_missing_responses_of_a_system_are_named_at_once_with_the_contexts_to_answer(overlay, tmp_path):
    layers = overlay.layers(f"systems: {{mine: {{label: Mine, responses: '{tmp_path}/{{split}}.csv'}}}}")
    config = load(layers, ROOT / "papers")
    (tmp_path / "test.csv").write_text("context,response\n")
    check_responses(config, layers, "mine", "embedded", "test")
    with pytest.raises(PipelineError) as caught:
        check_responses(config, layers, "mine", "embedded", "validation")
    assert caught.value.problem == f"no file {tmp_path}/validation.csv"
    assert str(overlay.path) in caught.value.where
    assert "systems.mine.responses" in caught.value.where
    assert "results/filtered/embedded/validation.parquet" in caught.value.remedy
    (tmp_path / "test.csv").unlink()
    with pytest.raises(PipelineError, match=r"no file .*validation\.csv, .*test\.csv"):
        check_responses(config, layers, "mine", "embedded", "validation")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("units: {kind: pieces, pieces: nofile.txt}", "units.pieces"),
        ("contrasts: {audit: nofile.txt}", "contrasts.audit"),
        ("sources: {embedded: {references: {validation: nofile.txt}}}", "sources.embedded.references.validation"),
        (
            "sources: {embedded: {override: {contrasts: {audit: nofile.txt}}}}",
            "sources.embedded.override.contrasts.audit",
        ),
    ],
)
def test_a_file_of_the_users_own_that_does_not_exist_is_named_with_its_key(overlay, tmp_path, monkeypatch, text, key):
    monkeypatch.chdir(tmp_path)
    layers = overlay.layers(text)
    config = load(layers, ROOT / "papers")
    error = refusal(lambda: check_files(config, layers))
    assert error.problem == f"{key}: no file 'nofile.txt'"
    assert str(overlay.path) in error.where
    (tmp_path / "nofile.txt").touch()
    check_files(config, layers)


@pytest.mark.parametrize(
    ("chosen", "text", "fragments"),
    [
        (
            "paper: sentence_vae\npreset: small\n",
            "systems: {autoencoder: {network: {latent: null}}}",
            ["systems.autoencoder.network.latent: null, but autoencoder has a latent"],
        ),
        (
            "paper: persona_wae\npreset: small\n",
            "systems: {persona_wae: {training: {phases: {critc: {updates: 2}}}}}",
            ["systems.persona_wae.training.phases: 'critc'", "mean 'critic'?"],
        ),
        (
            "paper: sentence_vae\npreset: small\n",
            "analyses: {prior_samples: {judge: {system: vae}}}",
            ["analyses.prior_samples.judge.system: vae has a latent variable", "such as a language model"],
        ),
        (
            "paper: sentence_vae\npreset: small\n",
            "analyses: {imputation: {judge: {system: autoencoder}}}",
            ["analyses.imputation.judge.system: autoencoder has a latent variable"],
        ),
        (
            "paper: persona_wae\npreset: small\n",
            "systems: {seq2seq: {decoding: {samples: 10}}}",
            ["systems.seq2seq.decoding.samples: 10 of seq2seq, which would all be the same", "or words that are drawn"],
        ),
        (
            "paper: persona_wae\npreset: southpark\n",
            "corpora: [m]\nsources: {m: {reader: table, label: M, licence: l, mirror: ., bundles: [[{name: a.csv}]]}}",
            ["sources.m.columns: no `speaker`, but the row 'persona' reads users/responding", "leave the row"],
        ),
        (
            "paper: persona_wae\npreset: small\n",
            "systems: {persona_wae: {options: {user_components: 0}}}",
            ["systems.persona_wae.options.user_components", "greater than 0"],
        ),
        (
            "paper: keywords_and_instances\npreset: small\n",
            "systems: {group_wise: {starts_from: null}}",
            ["systems.group_wise.starts_from: null, but group_wise compares itself", "models.transformer:Transformer"],
        ),
        (
            "paper: keywords_and_instances\npreset: small\n",
            "systems: {group_wise: {network: {width: 32}}}",
            ["systems.group_wise.network.width: 32", "the weights of transformer, whose value is 64"],
        ),
    ],
)
def test_what_a_class_needs_or_lacks_is_known_before_it_is_imported(overlay, chosen, text, fragments):
    (overlay.path.parent / "config.yaml").write_text(chosen)
    error = overlay.fault(text)
    assert all(fragment in str(error) for fragment in fragments), str(error)


@pytest.mark.parametrize("other", ["{latent: 32}", "{dropout: 0.3}"])
def test_a_start_from_weights_of_a_network_that_differs_in_no_size_is_allowed(overlay, other):
    (overlay.path.parent / "config.yaml").write_text("paper: keywords_and_instances\npreset: small\n")
    layers = overlay.layers(f"systems: {{group_wise: {{network: {other}}}}}")
    check_training(load(layers, ROOT / "papers"), lambda *keys: "overlay.yaml")


def test_names_of_phases_are_those_that_the_class_gives_them():
    named = {"persona_wae:PersonaWAE", "sentence_vae:SentenceVAE", "cvae:CVAE", "group_wise:GroupWise"}
    found = {one: phase_names(declared(f"pipeline_lib.models.{one}")) for one in named}
    assert found == {
        "persona_wae:PersonaWAE": ["autoencoder", "generator", "critic"],
        "sentence_vae:SentenceVAE": ["encoder", "decoder", "all"],
        "cvae:CVAE": ["all"],
        "group_wise:GroupWise": ["likelihood", "contrast"],
    }


def test_a_corpus_that_is_not_used_may_name_a_file_that_does_not_exist(overlay):
    layers = overlay.layers("sources: {dailydialog: {references: {validation: nofile.csv}}}")
    check_files(load(layers, ROOT / "papers"), layers)


def test_a_system_that_is_to_be_trained_needs_the_package_that_it_is_made_of(overlay, monkeypatch):
    layers = overlay.layers(
        "systems: {t5: {label: T5, model: 'pipeline_lib.models.t5:T5', network: {kind: transformer}}}"
    )
    config = load(layers, ROOT / "papers")
    monkeypatch.setattr(checks, "find_spec", lambda package: None)
    error = refusal(lambda: check_package(config, layers, "t5"))
    assert "transformers" in error.problem
    assert str(overlay.path) in error.where
    assert "make pretrained" in error.remedy
    check_package(config, layers, "cvae")
    monkeypatch.setattr(checks, "find_spec", lambda package: package)
    check_package(config, layers, "t5")
