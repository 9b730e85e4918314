"""The papers and presets that the repository brings along."""

import csv
import re
from pathlib import Path

import pytest

from pipeline_lib.config.catalogue import presets
from pipeline_lib.config.loading import PUBLISHED, layers_of_run, load, papers_in, preset_layers, presets_in, read_run
from pipeline_lib.config.run import Config
from pipeline_lib.config.training import Linear
from pipeline_lib.runs.checks import check_run

ROOT = Path(__file__).parents[3]
PAPERS = papers_in(ROOT / "papers")
PRESETS = [(paper, preset) for paper in PAPERS for preset in presets_in(ROOT / "papers" / paper)]
BOOKS_TABLES = {f"table{number}" for number in (1, 3, 4, 5, 6, 7, 8, 9, 10, 12)}
ROWS_OF_THE_PAPER = ["Seq2Seq", "CVAE", "CVAE+BOW", "K-CVAE+BOW", "S-CVAE+BOW", "A-CVAE+BOW", "SepaCVAE"]


def read(preset: str, paper: str = "sepacvae") -> Config:
    return read_run(ROOT, {"paper": paper, "preset": preset})


def published(paper: str) -> list[dict[str, str]]:
    with open(ROOT / "papers" / paper / PUBLISHED, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def comment_of(paper: str, preset: str) -> str:
    """The comment that a preset's file begins with."""
    return (ROOT / "papers" / paper / f"{preset}.yaml").read_text(encoding="utf-8").split("\n\n")[0]


# --- every preset of every paper -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("paper", "preset"), PRESETS)
def test_a_preset_is_accepted_with_the_options_of_its_analyses_figures_and_models(paper, preset):
    layers = layers_of_run(ROOT, {"paper": paper, "preset": preset})
    config = load(layers, ROOT / "papers")
    check_run(config, layers)
    assert (config.paper, config.preset) == (paper, preset)


def test_no_two_presets_write_to_one_folder():
    folders = [preset.results for preset in presets(ROOT)]
    assert len(folders) == len(PRESETS)
    assert len(set(folders)) == len(folders)
    assert {preset.results for preset in presets(ROOT)} == {read(preset, paper).results for paper, preset in PRESETS}


@pytest.mark.parametrize(("paper", "preset"), PRESETS)
def test_a_presets_first_lines_show_a_command_that_makes_what_it_is_for(paper, preset):
    config, comment = read(preset, paper), comment_of(paper, preset)
    paths = re.findall(rf" {re.escape(config.results)}/(?:tables|figures)/(?:\S+/)?(\S+)\.(?:csv|svg)", comment)
    [target] = paths or re.findall(rf"make (\S+) PAPER={paper}", comment)
    assert target in {*config.tables, *config.figures}
    if preset != "small":
        assert re.search(rf"(preset|PRESET)={preset}\b", comment)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_published_value_of_a_paper_is_a_number_or_a_bound_at_one_place(paper):
    rows = published(paper)
    keys = [tuple(row[key] for key in ("table", "dataset", "split", "system", "column")) for row in rows]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r">?-?[\d.]+", row["value"]) for row in rows)


@pytest.mark.parametrize(("paper", "preset"), [each for each in PRESETS if "novels" not in each[1]])
def test_the_corpora_of_the_presets_lose_examples_with_unknown_words_as_published(paper, preset):
    config = read(preset, paper)
    for corpus in config.corpora:
        filtering = config.for_corpus(corpus).filtering
        generated = config.sources[corpus].generated
        open_words = paper not in ("sepacvae", "sentence_vae") and not generated  # no paper publishes it
        expected = [("unk", 2), ("keep", 2)] if open_words else [("drop_example", 1)]
        assert (filtering.unknown, filtering.min_count) in expected


def test_a_corpus_of_ones_own_keeps_its_held_out_examples_and_training_shows_the_replacement():
    own = {"reader": "table", "label": "Own", "licence": "own", "bundles": [[{"name": "a.csv"}]]}
    given = {"paper": "sepacvae", "preset": "small", "corpora": ["own"], "sources": {"own": own}}
    filtering = read_run(ROOT, given).for_corpus("own").filtering
    assert (filtering.unknown, filtering.min_count) == ("unk", 2)
    chosen = read_run(ROOT, given | {"filtering": {"unknown": "drop_example"}}).for_corpus("own").filtering
    assert (chosen.unknown, chosen.min_count) == ("drop_example", 1)


# --- SepaCVAE --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "corpus", "batch"),
    [
        ("published", "dailydialog", 64),
        ("papersize", "dailydialog", 64),
        ("published_opensubtitles", "opensubtitles", 32),
    ],
)
def test_the_published_presets_carry_the_published_sizes(preset, corpus, batch):
    config = read(preset)
    assert config.corpora == [corpus]
    assert len(config.seeds) >= 3
    embeddings = config.for_corpus(corpus).embeddings
    assert (embeddings.source, embeddings.dimension) == ("file", 300)
    assert config.for_corpus(corpus).clustering.groups == 8
    for system in config.systems:
        network, training = config.network_of(corpus, system), config.training_of(corpus, system)
        assert config.decoding_of(corpus, system).max_length == 25
        assert (network.hidden, network.decoder_layers, network.latent, network.bow_hidden) == (300, 2, 64, 400)
        assert network.initial_range == 0.08
        assert (training.batch_size, training.optimiser.learning_rate, training.optimiser.clip) == (batch, 1e-3, 5)
        assert (training.epochs, training.max_steps, training.annealing) == (
            50,
            None,
            Linear(kind="linear", steps=10_000),
        )
        assert (training.validate_every, training.select) == (100, "ppl")


def test_papersize_changes_the_window_of_lengths_and_nothing_else():
    plain, window = read("published"), read("papersize")
    assert plain.filtering.context_length == plain.filtering.response_length == (1, 25)
    assert (window.filtering.context_length, window.filtering.response_length) == ((7, 12), (1, 12))
    changed = {"filtering": window.filtering, "results": window.results, "preset": "papersize"}
    assert plain.model_copy(update=changed) == window


@pytest.mark.parametrize("preset", ["small", "sweep"])
def test_the_small_presets_train_on_the_generated_corpus_alone(preset):
    config = read(preset)
    assert config.corpora == ["embedded"]
    assert config.sources["embedded"].reader == "synthetic"


def test_the_small_sizes_reach_no_other_preset_unless_it_extends_the_small_one():
    folder = ROOT / "papers/sepacvae"
    for preset in presets_in(folder):
        below = [Path(layer.where).stem for layer in preset_layers(folder, preset, ROOT)]
        assert ("small" in below) == (preset in ("small", "sweep"))


def test_the_systems_of_the_tables_are_the_papers_rows_between_floor_and_reference():
    labels = [system.label for system in read("small").row_systems.values()]
    references = ["Random response", "Human reference", "True distribution"]
    assert sorted(labels) == sorted([*ROWS_OF_THE_PAPER, *references])
    assert "True distribution" not in [system.label for system in read("dailydialog").row_systems.values()]


@pytest.mark.parametrize("table", ["ablations", "departures"])
def test_a_row_differs_from_sepacvae_in_one_option_unless_its_label_says_otherwise(table):
    config = read("small")
    whole = config.systems["sepacvae"]
    for name in config.systems_of(table)[1:]:
        row = config.systems[name]
        if row.model != whole.model:
            assert row.label.startswith("CVAE"), name
            continue
        options = {**whole.options, **row.options}
        differing = {key for key in options if row.options.get(key) != whole.options.get(key)}
        several = {"sepacvae_variant": "(variant)", "released": "as released"}
        assert len(differing) == 1 or several[name] in row.label, name


@pytest.mark.parametrize(("table", "split"), [("table2", "validation"), ("table3", "test")])
def test_every_row_of_the_paper_finds_its_published_values_under_its_label_and_in_every_column(table, split):
    layout, spec = read("published").layout(table), read("published").tables[table]
    printed = {
        (row["system"], row["column"])
        for row in published("sepacvae")
        if (row["table"], row["dataset"], row["split"]) == (spec.number, layout.corpora["dailydialog"], split)
    }
    labels = {system.label for system in layout.systems.values()}
    assert printed == {(label, column) for label in ROWS_OF_THE_PAPER for column in spec.columns}
    assert set(ROWS_OF_THE_PAPER) <= labels


def test_the_judged_systems_and_their_columns_are_those_of_the_published_table():
    layout = read("published").layout("table4")
    labels = {system.label for system in layout.systems.values()}
    printed = {row["system"] for row in published("sepacvae") if row["table"] == "4" and row["dataset"]}
    assert printed == labels


def test_the_corpora_of_the_paper_find_their_published_counts_under_their_labels():
    sources, columns = read("small").sources, read("small").tables["table1"].columns
    for name in ("dailydialog", "opensubtitles"):
        printed = {row["column"] for row in published("sepacvae") if row["dataset"] == sources[name].label}
        assert printed >= {"vocabulary", "train pairs"}
        assert {row["column"] for row in published("sepacvae") if row["table"] == "1"} <= set(columns)


# --- sentence VAE ----------------------------------------------------------------------------------------------------


def test_the_published_sentence_vae_has_the_sizes_of_table_11_and_trains_all_systems_alike():
    config = read("published", "sentence_vae")
    assert config.corpora == ["ptb"]
    table = {(row["system"], row["column"]): row["value"] for row in published("sentence_vae") if row["table"] == "11"}
    spec, settings = config.tables["table11"], config.settings_of("table11")
    assert len(table) == 12
    paths = {column: path.split(".") for column, path in spec.columns.items()}
    shown = {
        (spec.as_[system], column): settings[system][section][key]
        for system in config.systems_of("table11")
        for column, (section, key) in paths.items()
    }
    assert {place: float(shown[place]) for place in table} == {place: float(value) for place, value in table.items()}
    assert shown["RNNLM (standard)", "z"] is None
    for preset in ("ptb", "published"):
        config = read(preset, "sentence_vae")
        lengths = {config.training_of("ptb", name).epochs for name in config.systems_of("table2")}
        assert len(lengths) == 1


def test_every_published_value_on_sentences_has_a_row_and_a_column_of_its_table():
    """Tables 9 and 10 quote the rows that they do not compute; novels stand for the books of Table 4."""
    rows = {
        tuple(row[name] for name in ("table", "dataset", "system", "column", "split"))
        for row in published("sentence_vae")
    }
    found = set()
    for preset, table in [
        ("published", 2),
        ("published", 11),
        *(("published_novels", number) for number in (4, 9, 10)),
    ]:
        config = read(preset, "sentence_vae")
        spec, layout = config.tables[f"table{table}"], config.layout(f"table{table}")
        columns = {spec.as_.get(column, column) for column in spec.columns}
        systems = {spec.as_.get(name, system.label) for name, system in layout.systems.items()}
        found |= {
            row
            for row in rows
            if row[0] == spec.number
            and row[1] in {*layout.corpora.values(), *layout.stands_for.values()}
            and row[3] in columns
            and (spec.kind == "measures" or row[2] in systems)
        }
    assert len(rows) == 68
    assert found == rows


@pytest.mark.parametrize(("preset", "units"), [("novels", 256), ("published_novels", 512)])
def test_the_novels_say_what_they_stand_for_and_their_decoders_alone_are_reversed(preset, units):
    config = read(preset, "sentence_vae")
    assert "stand-in for BooksCorpus" in config.sources["novels"].label
    assert {name for name in BOOKS_TABLES if "in place of BooksCorpus" in config.tables[name].title} == BOOKS_TABLES
    filtering = config.for_corpus("novels").filtering
    assert (filtering.response_length, filtering.vocabulary_size, filtering.unknown) == ((4, 20), 10_000, "unk")
    for name in ("rnnlm", "vae", "autoencoder"):
        assert config.systems[name].options["direction"] == "right_to_left"
        network = config.network_of("novels", name)
        assert (network.embedding, network.hidden) == (units, units)
    for other in ("small", "ptb", "published"):  # only imputation begins with the last word there
        systems = read(other, "sentence_vae").systems
        reversed_ones = {name for name, system in systems.items() if "direction" in system.options}
        assert reversed_ones == {"rnnlm_reversed", "vae_reversed"}


def test_the_grammars_remedies_are_trained_with_three_seeds_at_least_and_the_row_without_any_keeps_every_word():
    config = read("small", "sentence_vae")
    assert len(config.seeds) >= 3
    [without] = [name for name in config.systems_of("beyond") if name == "vae_unannealed"]
    assert config.systems[without].options["keep"] == 1
    assert config.training_of("grammar", without).annealing.kind == "none"
    assert config.systems["vae_pretrained"].starts_from == "autoencoder"


# --- keywords and instances ------------------------------------------------------------------------------------------


def test_at_the_published_size_pretrained_rows_learn_at_half_the_rate_and_pointers_find_unknown_words():
    config = read("published", "keywords_and_instances")
    pretrained = {"dialogpt", "bert_gen", "t5", "t5_claps"}
    for corpus in config.corpora:
        rates = {name: config.training_of(corpus, name).optimiser.learning_rate for name in config.trainable}
        assert {name for name, rate in rates.items() if rate == 5e-5} == pretrained
        assert {rate for name, rate in rates.items() if name not in pretrained} == {1e-4}
        assert config.for_corpus(corpus).filtering.unknown == "keep"


@pytest.mark.parametrize("preset", ["rocstories", "chinese"])
def test_where_nobody_labelled_negatives_their_table_says_that_one_may_be_a_fitting_answer(preset):
    [note] = read(preset, "keywords_and_instances").tables["negatives"].notes
    assert "answer" in note
    assert not read("qqp", "keywords_and_instances").tables["negatives"].notes


def test_the_further_ablations_leave_out_the_iterations_and_take_the_root():
    config = read("small", "keywords_and_instances")
    corpus, rows = config.corpora[0], config.systems_of("ablations")
    options = {name: config.description(corpus, name).options for name in rows}
    assert [name for name in rows if options[name].get("iterations") == 0] == ["no_iteration"]
    assert [name for name in rows if options[name].get("root")] == ["root"]
