"""What a user sees of a fault in the input, the settings or the machine: one screen that says what to do."""

import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_workflow import TinyWorkflow

from pipeline_lib.files.checksums import sha256

SCREEN = 24  # lines
DIALOGUES = "results/dialogues/own/dialogues.parquet"
TABLE = "results/tables/table2.csv"
SPLITS = ("train", "validation", "test")


class Refusals:
    """A copy of the finished workflow in which every run must fail with one screen of our own."""

    def __init__(self, workflow: TinyWorkflow) -> None:
        self.workflow, self.folder = workflow, workflow.folder

    def put(self, name: str, content: bytes) -> Path:
        """A file in the folder ``mirror``."""
        path = self.folder / "mirror" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def message(self, *targets: str, changes: dict[str, Any], replaced: str = "nothing") -> str:
        """What a run says. ``replaced``: folder of outputs that Snakemake removes before it starts their job again."""
        before = self.workflow.checksums()
        done = self.workflow.run(*targets, changes=changes)
        after = self.workflow.checksums()
        kept = {name: digest for name, digest in before.items() if not name.startswith(replaced)}
        assert done.returncode != 0, done.stdout
        assert kept.items() <= after.items(), "earlier results were touched"
        assert not [name for name in after if name.endswith(".tmp")]
        return message_of(done.stdout)


@pytest.fixture
def refusals(checkout: Callable[[], TinyWorkflow]) -> Refusals:
    return Refusals(checkout())


def message_of(screen: str) -> str:
    """Our own words: from ``Error: `` on, as far as lines are indented."""
    lines = screen.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    assert starts, screen
    end = starts[0] + 1
    while end < len(lines) and lines[end].startswith("  ") and not lines[end].startswith('  File "'):
        end += 1
    message = "\n".join(lines[starts[0] : end])
    assert "remedy:" in message, screen
    assert end - starts[0] <= SCREEN, message
    assert "Traceback (most recent call last)" not in screen
    return message


def own(reader: str, *names: str, sha: str | None = None) -> dict[str, Any]:
    """A configuration with a corpus ``own`` whose files lie in the folder ``mirror``."""
    bundle = [{"name": name, "sha256": sha} for name in names]
    source = {"reader": reader, "label": "Own", "licence": "none", "mirror": "mirror", "bundles": [bundle]}
    return {"corpora": ["own"], "sources": {"own": source}}


def system(name: str, **values: Any) -> dict[str, Any]:
    """Other values of one system."""
    return {"systems": {name: values}}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def release(folder: str = "") -> bytes:
    """A small archive in the layout of the DailyDialog release."""
    line = b"How are you ? __eou__ Fine , thank you . __eou__ Good . __eou__\n"
    inner = {split: zipped({f"{folder}{split}/dialogues_{split}.txt": line * 20}) for split in SPLITS}
    return zipped({f"ijcnlp_dailydialog/{split}.zip": content for split, content in inner.items()})


# --- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.yaml", "overlay.yaml", "papers/sepacvae/small.yaml", "config/corpora.yaml"])
def test_a_key_that_stands_twice_in_any_file_of_the_configuration_is_named_with_file_and_line(tmp_path, name):
    workflow = TinyWorkflow.create(tmp_path / "tiny")
    (workflow.folder / "overlay.yaml").write_text("metrics: {bootstrap: 60}\n")
    with open(workflow.folder / name, "a") as file:
        file.write("extra: 1\nextra: 2\n")
    done = workflow.run("--dry-run", "--configfile", "overlay.yaml")
    assert done.returncode != 0
    message = message_of(done.stdout)
    assert "key 'extra' stands twice" in message
    assert f"{name}:{len((workflow.folder / name).read_text().splitlines())}" in message


def test_a_configuration_that_is_not_utf_8_is_named(tmp_path):
    workflow = TinyWorkflow.create(tmp_path / "tiny")
    with open(workflow.folder / "config.yaml", "ab") as file:
        file.write(b"# \xff\n")
    message = message_of(workflow.run("--dry-run").stdout)
    assert "not readable as YAML" in message
    assert "where:    config.yaml" in message


# --- corpora -------------------------------------------------------------------------------------------------------


def test_a_truncated_archive_is_named_with_its_place(refusals):
    refusals.put("ijcnlp_dailydialog.zip", release()[:-700])
    message = refusals.message(DIALOGUES, changes=own("dailydialog", "ijcnlp_dailydialog.zip"))
    assert "ijcnlp_dailydialog.zip" in message
    assert "damaged" in message


def test_a_wrong_checksum_shows_both_sums(refusals):
    path = refusals.put("ijcnlp_dailydialog.zip", release())
    message = refusals.message(DIALOGUES, changes=own("dailydialog", path.name, sha="0" * 64))
    assert sha256(path) in message
    assert "0" * 64 in message
    assert "mirror/ijcnlp_dailydialog.zip" in message


def test_an_archive_that_leaves_its_folder_is_refused(refusals):
    refusals.put("ijcnlp_dailydialog.zip", release(folder="../../"))
    message = refusals.message(DIALOGUES, changes=own("dailydialog", "ijcnlp_dailydialog.zip"))
    assert "'../../train/dialogues_train.txt'" in message
    assert "ijcnlp_dailydialog.zip" in message
    assert not (refusals.folder.parent / "train").exists()


def test_invalid_utf8_is_named_with_its_line(refusals):
    rows = [b"dialogue,turn,text", *(b"d%d,%d,hello" % (i // 2, i % 2) for i in range(40))]
    rows[30] = b"d14,1,caf\xe9"
    refusals.put("talk.csv", b"\n".join(rows))
    message = refusals.message(DIALOGUES, changes=own("table", "talk.csv"))
    assert "talk.csv" in message
    assert "UTF-8" in message
    assert "31" in message


def test_a_corpus_of_one_turn_dialogues_is_refused(refusals):
    refusals.put("talk.csv", b"dialogue,turn,text\n" + b"".join(b"d%d,0,hello\n" % i for i in range(40)))
    message = refusals.message("results/examples/own/train.parquet", changes=own("table", "talk.csv"))
    assert "split has no example" in message
    assert "2 consecutive turns" in message


def test_a_corpus_that_loses_most_of_its_held_out_words_stops_after_a_warning_on_the_screen(refusals):
    said = [f"d{n},{turn},{'x' * (n + 1)}\n" for n in range(60) for turn in range(2)]  # no word in two dialogues
    alone = [f"e{n},0,hello\n" for n in range(70)]
    refusals.put("talk.csv", ("dialogue,turn,text\n" + "".join(said + alone)).encode())
    changes = own("table", "talk.csv")
    changes["sources"]["own"]["splits"] = {"validation": 0.3, "test": 0.3}
    changes |= {"filtering": {"known": "any", "most_unknown": 0.5}}
    done = refusals.workflow.run("results/filtered/own/report.json", changes=changes)
    assert "\nWarning: corpus own: 70 of 130 dialogues are too short for an example." in done.stdout
    message = message_of(done.stdout)
    assert "tokens that are unknown, so replaced by `<unk>` or dropped: 100.0 % of validation" in message
    assert "tokeniser: characters" in message


def test_a_corpus_that_filtering_empties_is_refused(refusals):
    changes = {"filtering": {"response_length": [25, 25]}}
    message = refusals.message("results/tables/table2.csv", changes=changes, replaced="filtered/embedded/")
    assert "filtering leaves none of" in message
    assert "results/examples/embedded/train.parquet" in message
    assert "response_too_short" in message


def test_vectors_of_another_width_are_refused(refusals):
    refusals.put("small.txt", b"".join(b"word%d 0.1 0.2 0.3\n" % i for i in range(9)))
    vectors = {"source": "file", "file": {"name": "small.txt"}, "mirror": "mirror", "dimension": 50}
    message = refusals.message("results/vectors/embedded/file.parquet", changes={"embeddings": vectors})
    assert "small.txt" in message
    assert "50" in message
    assert "3" in message


# --- settings and targets ------------------------------------------------------------------------------------------


def test_an_unknown_key_is_named_with_the_nearest(refusals):
    message = refusals.message(changes={"training": {"patienc": 1}})
    assert "unknown key 'training.patienc'" in message
    assert "did you mean 'patience'?" in message


def test_a_seed_that_stands_twice_is_refused(refusals):
    message = refusals.message(changes={"seeds": [1, 2, 1]})
    assert "seeds: 1 is listed more than once" in message


@pytest.fixture(scope="module")
def kept(finished: TinyWorkflow, tmp_path_factory: pytest.TempPathFactory) -> Refusals:
    """One copy of the finished workflow for all mistakes that are found before anything runs."""
    return Refusals(finished.copy(tmp_path_factory.mktemp("kept") / "checkout"))


@pytest.mark.parametrize(
    ("changes", "target", "fragments"),
    [
        (system("sepacvae", options={"group": 8}), TABLE, ["'systems.sepacvae.options.group'", "mean 'groups'?"]),
        (system("sepacvae", options={"groups": 0}), TABLE, ["systems.sepacvae.options.groups", "greater than 0"]),
        (system("k_cvae_bow", model="pipeline_lib.models.cvae:CVEA"), TABLE, ["no class 'CVEA'", "'CVAE'?"]),
        ({"tables": {"table2": {"columns": ["BLUE-1"]}}}, TABLE, ["no metric 'BLUE-1'", "'BLEU-1'?"]),
        ({"results": "config.yaml"}, "config.yaml/tables/table2.csv", ["config.yaml is a file"]),
        ({}, "result/tables/table2.csv", ["no stage makes result/tables/table2.csv", f"did you mean '{TABLE}'?"]),
        ({}, "keyword", ["no stage makes keyword", "did you mean 'keywords'?"]),
        ({}, "table2", ["no stage makes table2", f"did you mean '{TABLE}'?"]),
    ],
)
def test_a_mistake_is_found_before_any_finished_result_is_deleted(kept, changes, target, fragments):
    message = kept.message("--", target, changes=changes)
    assert all(fragment in message for fragment in fragments), message
    assert ("/overlay-" in message) == bool(changes)


def test_missing_responses_are_named_with_the_contexts_to_answer_before_any_job_starts(kept):
    mine = {"label": "Mine", "responses": "mine/{split}.csv"}
    before = kept.workflow.checksums()
    done = kept.workflow.run("--", TABLE, changes={"systems": {"mine": mine}})
    assert done.returncode != 0
    assert "no file mine/validation.csv, mine/test.csv" in done.stdout
    assert "snakemake --cores 2 -- results/filtered/embedded/validation.parquet" in done.stdout
    assert kept.workflow.checksums() == before
    assert kept.workflow.planned("results/filtered/embedded/test.parquet", changes={"systems": {"mine": mine}}) == set()


@pytest.mark.parametrize(
    "target",
    [
        "results/models/embedded/sepacvea/seed1/model.safetensors",
        "results/models/embedded/sepacvae/seed7/model.safetensors",
        "results/scores/dailydialog/sepacvae/seed1/test.parquet",
        "results/tables/table9.csv",
        "results/raw/glove/glove.6B.zip",
    ],
)
def test_a_target_that_no_stage_makes_shows_what_there_is(refusals, target):
    message = refusals.message(target, changes={})
    assert f"no stage makes {target}" in message
    assert "random, human, seq2seq, k_cvae_bow, sepacvae" in message
    assert "table1, table2, table3" in message


@pytest.mark.parametrize(
    ("given", "target", "options"),
    [
        ([], "results/dailydialog/tables/table2.csv", "--config preset=dailydialog -- "),
        (["--config", "paper=own", "preset=elsewhere", "--"], "results/tables/table2.csv", ""),
        ([], "results/own/figures/map.svg", "--config paper=own preset=elsewhere -- "),
    ],
)
def test_a_target_of_another_paper_or_preset_is_an_error_with_the_command_that_makes_it(
    finished, tmp_path, given, target, options
):
    copy = finished.copy(tmp_path / "checkout")
    shutil.copytree(copy.folder / "papers/sepacvae", copy.folder / "papers/own")
    for preset in (copy.folder / "papers/own").glob("*.yaml"):
        if preset.name != "paper.yaml":
            preset.unlink()
    (copy.folder / "papers/own/elsewhere.yaml").write_text("results: results/own\ncorpora: [embedded]\nseeds: [1]\n")
    done = copy.run("--dry-run", *given, target)
    assert done.returncode != 0
    assert f"{target} is made by the preset" in done.stdout
    assert f"remedy:   snakemake --cores 8 {options}{target}\n" in done.stdout


# --- machine -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(checkout):
    """A copy of the finished workflow whose results lie on a file system with little room."""
    copy = checkout()
    held = copy.folder / "held"
    copy.results.rename(held)
    copy.results.mkdir()
    used = sum(-(-path.stat().st_size // 4096) * 4 for path in held.rglob("*") if path.is_file())  # KiB of pages
    mount = ["mount", "-t", "tmpfs", "-o", f"size={used + 300}k", "tmpfs", str(copy.results)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a full disk needs the right to mount a small file system")
    try:
        shutil.copytree(held, copy.results, dirs_exist_ok=True)
        yield copy
    finally:
        subprocess.run(["umount", str(copy.results)], check=True)


def test_a_full_disk_is_named_and_leaves_earlier_results(small_disk: TinyWorkflow):
    large = {"reader": "synthetic", "label": "L", "licence": "none", "synthetic": {"dialogues": 8000}}
    before = small_disk.checksums()
    done = small_disk.run(
        "results/dialogues/large/dialogues.parquet",
        changes={"corpora": ["embedded", "large"], "sources": {"large": large}},
    )
    assert done.returncode != 0
    message = message_of(done.stdout)
    assert "no space left on the disk" in message
    assert "results/dialogues/large/dialogues.parquet" in message
    assert small_disk.checksums() == before
