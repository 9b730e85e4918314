"""A changed setting, or a changed line of code, reruns what depends on it and nothing else."""

import hashlib
import os
import shutil

import pytest
from tiny_workflow import ROWS, TinyWorkflow

TRAINED = ["seq2seq", "k_cvae_bow", "sepacvae"]
SCORED_SPLITS = ("validation", "test")

RECORDED = {"describe_run"}  # the record of a run says what was changed, whatever else that leads to

# from the scores on: what every change of a system's responses leads to
SUMMED_UP = {
    *(f"collect_scores {split}" for split in SCORED_SPLITS),
    *(f"{rule} {table}" for rule in ("compare_systems", "make_score_table") for table in ("table2", "table3")),
    "make_text_table table5",
    "make_cost_table costs",
}
FILTERED = {
    *("filter_examples", "build_vocabulary", "count_examples"),
    *(f"encode_examples words {split}" for split in ("train", *SCORED_SPLITS)),
    *("make_count_table table1", "find_contradictions contradictions"),
}


def scored(*systems: str, seed: int = 1) -> set[str]:
    return {f"score_responses {system} {seed} {split}" for system in systems for split in SCORED_SPLITS}


def answered(*systems: str, seed: int = 1) -> set[str]:
    rules = dict.fromkeys(TRAINED, "generate_responses") | {"truth": "generate_exact"}
    generated = {
        f"{rules.get(system, 'generate_baseline')} {system} {seed} {split}"
        for system in systems
        for split in SCORED_SPLITS
    }
    return generated | scored(*systems, seed=seed)


def trained(*systems: str, seed: int = 1) -> set[str]:
    jobs = {f"train_model {system} {seed}" for system in systems if system in TRAINED}
    return jobs | answered(*systems, seed=seed)


EVERY_SYSTEM = trained(*ROWS) | {"cluster_examples kmeans"} | SUMMED_UP

CHANGES = {
    "most tokens of a response": (
        {"filtering": {"response_length": [1, 12]}},
        FILTERED | EVERY_SYSTEM,
    ),
    "training of the word vectors": (
        {"embeddings": {"training": {"epochs": 3}}},
        {"train_vectors"} | FILTERED | EVERY_SYSTEM,
    ),
    "number of clusters": (
        {"clustering": {"groups": 4}},
        {"cluster_examples kmeans"} | trained("k_cvae_bow") | SUMMED_UP,
    ),
    "words that are clustered": (
        {"clustering": {"words": "keywords"}},
        {f"extract_keywords {split}" for split in ("train", *SCORED_SPLITS)}
        | {"cluster_examples kmeans"}
        | trained("k_cvae_bow")
        | SUMMED_UP,
    ),
    "cluster method of a system": (
        {"systems": {"k_cvae_bow": {"reads": {"group": "clusters/spectral"}}}},
        {"cluster_examples spectral"} | trained("k_cvae_bow") | SUMMED_UP,
    ),
    "learning rate of a system": (
        {"systems": {"sepacvae": {"training": {"optimiser": {"learning_rate": 0.001}}}}},
        trained("sepacvae") | SUMMED_UP,
    ),
    "start of a system": (
        {"systems": {"sepacvae": {"starts_from": "seq2seq"}}},
        trained("sepacvae") | SUMMED_UP,
    ),
    "option of a system": (
        {"systems": {"sepacvae": {"options": {"groups": 4}}}},
        trained("sepacvae") | SUMMED_UP,
    ),
    "size of the networks": (
        {"network": {"latent": 5}},
        trained(*TRAINED) | SUMMED_UP,
    ),
    "a seed more": (
        {"seeds": [1, 2]},
        trained(*ROWS, seed=2) | SUMMED_UP - {"make_text_table table5"},  # whose answers are of the first seed
    ),
    "longest response that is decoded": (
        {"decoding": {"max_length": 20}},
        answered(*TRAINED) | SUMMED_UP,
    ),
    "variant of a metric": (
        {"metrics": {"coherence_stopwords": "keep"}},
        scored(*ROWS) | SUMMED_UP,
    ),
    "trials of the paired test": (
        {"significance": {"trials": 60}},
        SUMMED_UP - {f"collect_scores {split}" for split in SCORED_SPLITS} - {"make_text_table table5"},
    ),
    "columns of a table": (
        {"tables": {"table2": {"columns": ["ppl", "BLEU-1"]}}},
        {"compare_systems table2", "make_score_table table2", "make_cost_table costs"},
    ),
    "label of a system": (
        {"systems": {"sepacvae": {"label": "Ours"}}},
        {*(f"make_score_table table{i}" for i in (2, 3)), "make_rating_table table4", "make_text_table table5"}
        | {"make_cost_table costs"},
    ),
    "caption of a table": (
        {"tables": {"table3": {"caption": "Other words."}}},
        {"make_score_table table3"},
    ),
    "a further table": (
        {"tables": {"table6": {"kind": "counts", "title": "Words", "columns": {"words": "vocabulary"}}}},
        set(),
    ),
    "a system that no table names": (
        {"systems": {"other": {"like": "sepacvae", "only_named": True, "label": "Other"}}},
        set(),
    ),
    "keywords that no table needs": (
        {"keywords": {"most": 3}},
        set(),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_setting_reruns_what_depends_on_it_and_nothing_else(finished, change):
    settings, expected = CHANGES[change]
    assert finished.planned(changes=settings) == expected | RECORDED


def test_a_table_asked_for_alone_is_made_again_for_its_own_settings(finished):
    changed = {"tables": {"table2": {"columns": ["ppl", "BLEU-1"]}}}
    jobs = {"compare_systems table2", "make_score_table table2"}
    assert finished.planned("results/tables/table2.csv", changes=changed) == jobs


def test_a_table_of_a_part_of_the_test_examples_trains_and_generates_nothing(finished):
    part = "test_unseen_pairs"
    jobs = {"compare_systems table3_unseen", "make_score_table table3_unseen", "select_unseen test unseen_pairs"}
    scored_too = {f"score_responses {system} 1 {part}" for system in ROWS}
    assert finished.planned("results/tables/table3_unseen.csv") == jobs | scored_too


def test_a_published_value_remakes_the_tables_that_have_any_and_nothing_else(checkout):
    copy = checkout()
    path = copy.folder / "papers/sepacvae/published.csv"
    path.write_text(path.read_text().replace("42.9", "42.8", 1))
    tables = {
        "make_count_table table1",
        "make_score_table table2",
        "make_score_table table3",
        "make_rating_table table4",
    }
    assert copy.planned() == tables


def test_a_mirror_that_nothing_is_fetched_from_reruns_nothing(finished):
    assert finished.planned(changes={"mirror": "elsewhere"}) == set()


def test_a_corpus_whose_pinned_files_moved_to_another_mirror_is_not_read_again(checkout):
    copy = checkout()
    rows = "dialogue,turn,text\n" + "".join(f"d{i},{turn},hello you {i}\n" for i in range(100) for turn in (0, 1))
    (copy.folder / "here").mkdir()
    (copy.folder / "here/talk.csv").write_text(rows)

    def kept_in(mirror):
        file = {"name": "talk.csv", "sha256": hashlib.sha256(rows.encode()).hexdigest()}
        own = {"reader": "table", "label": "Own", "licence": "none", "mirror": mirror, "bundles": [[file]]}
        return {"corpora": ["own"], "sources": {"own": own}}

    target = "results/dialogues/own/dialogues.parquet"
    done = copy.run(target, changes=kept_in("here"))
    assert done.returncode == 0, done.stdout
    shutil.move(copy.folder / "here", copy.folder / "there")
    assert copy.planned(target, changes=kept_in("there")) == set()


def test_a_file_of_a_mirror_that_an_older_one_replaced_is_read_again(tmp_path):
    fresh = TinyWorkflow.create(tmp_path / "fresh")
    file, other = fresh.folder / "here/talk.csv", fresh.folder / "here/old.csv"
    own = {"reader": "table", "label": "Own", "licence": "none", "mirror": "here", "bundles": [[{"name": "talk.csv"}]]}
    changes = {"corpora": ["own"], "sources": {"own": own}}
    file.parent.mkdir()
    for path, word in ((file, "hello"), (other, "howdy")):
        rows = (f"d{i},{turn},{word} you {i}\n" for i in range(100) for turn in (0, 1))
        path.write_text("dialogue,turn,text\n" + "".join(rows))
    os.utime(other, (1, 1))
    target = "results/dialogues/own/dialogues.parquet"
    done = fresh.run(target, changes=changes)
    assert done.returncode == 0, done.stdout
    assert fresh.planned(target, changes=changes) == set()
    other.rename(file)
    assert fresh.planned(target, changes=changes) == {"download_corpus", "extract_dialogues"}
    done = fresh.run(target, changes=changes)
    assert done.returncode == 0, done.stdout
    assert fresh.planned(target, changes=changes) == set()


def test_a_changed_setting_is_followed_also_where_times_alone_decide(tmp_path):
    fresh, target = TinyWorkflow.create(tmp_path / "fresh"), "results/dialogues/embedded/dialogues.parquet"
    done = fresh.run(target)
    assert done.returncode == 0, done.stdout
    assert fresh.planned("--rerun-triggers=mtime", target) == set()
    changed = {"sources": {"embedded": {"synthetic": {"dialogues": 160}}}}
    assert fresh.planned("--rerun-triggers=mtime", target, changes=changed) == {"extract_dialogues"}


UNUSED = ("", "\n_UNUSED = 1\n")  # a line more
EDITS = {
    "a comment": ("models/sepacvae.py", "", "\n# a reason, better explained\n", set()),
    "the words of an error": ("files/formats.py", '"file not found"', '"this file is missing"', set()),
    "how often progress is shown": ("stage/progress.py", "LINES = 10.0", "LINES = 5.0", set()),
    "a line of one system": ("models/sepacvae.py", *UNUSED, trained("sepacvae") | SUMMED_UP | RECORDED),
    "a line of one metric": ("metrics/coherence.py", *UNUSED, scored(*ROWS) | SUMMED_UP | RECORDED),
    "a line of a metric of all runs": (
        "metrics/converged.py",
        *UNUSED,
        scored(*ROWS) | SUMMED_UP | RECORDED,
    ),
    "a line of a metric that no table shows": ("metrics/nll.py", *UNUSED, set()),
    "a line of the tables of scores": (
        "tables/scores.py",
        *UNUSED,
        {f"make_score_table table{i}" for i in (2, 3)} | RECORDED,
    ),
    "a column of the table of cases": (
        "schemas/cases.py",
        "CASES = pa.schema(\n    [\n",
        'CASES = pa.schema(\n    [\n        pa.field("note", pa.string()),\n',
        {"find_contradictions contradictions", "make_text_table table5"} | RECORDED,
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_the_library_reruns_the_stages_that_it_can_change(finished, tmp_path, edit):
    name, old, new, expected = EDITS[edit]
    library = tmp_path / "src"
    shutil.copytree(finished.folder / "src", library)
    module = library / "pipeline_lib" / name
    text = module.read_text(encoding="utf-8")
    assert old in text
    module.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
    assert finished.planned(library=library) == expected


def test_a_mended_docstring_reruns_nothing(finished, tmp_path):
    library = tmp_path / "src"
    shutil.copytree(finished.folder / "src", library)
    for module in library.rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        module.write_text(text.replace('"""', '"""Reworded: ', 1), encoding="utf-8")
    assert finished.planned(library=library) == set()
