"""Names that a shell would run are names to the workflow: in paths, labels and file names, in every rule."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tiny_workflow import TinyWorkflow

# spaces, quotes, substitutions, separators, globs, a redirection, and what opens on Snakemake's own side
HOSTILE = "a b'\"$(touch canary)`touch canary`;touch canary&|>*"
LABEL = HOSTILE + "{x} {wildcards.y}\n<script>"
RESULTS = f"out {HOSTILE}"


@pytest.fixture
def workflow(tmp_path: Path) -> TinyWorkflow:
    """A workflow with a corpus, a vector file, responses and a rating sheet of hostile names."""
    made = TinyWorkflow.create(tmp_path / "tiny")
    turns = "".join(f"d{i},{turn},hello you {i % 7}\n" for i in range(60) for turn in range(3))
    files = {
        f"mirror {HOSTILE}/talk {HOSTILE}.csv": "dialogue,turn,text\n" + turns,
        f"mirror {HOSTILE}/vec {HOSTILE}.txt": "".join(f"{word} 0.1 0.2 0.3\n" for word in ["hello", "you", *"0123"]),
        f"answers {HOSTILE}.csv": "context,response\n",
        f"ratings {HOSTILE}/sheet {HOSTILE}.csv": "sheet,rater,item,response_id\n",
    }
    for name, text in files.items():
        (made.folder / name).parent.mkdir(exist_ok=True)
        (made.folder / name).write_text(text)
    return made


CHANGES: dict[str, Any] = {
    "results": RESULTS,
    "mirror": f"mirror {HOSTILE}",
    "corpora": ["own"],
    "sources": {
        "own": {
            "reader": "table",
            "label": LABEL,
            "licence": LABEL,
            "bundles": [[{"name": f"talk {HOSTILE}.csv"}]],
        }
    },
    "embeddings": {"source": "file", "file": {"name": f"vec {HOSTILE}.txt"}, "dimension": 3},
    "systems": {
        "seq2seq": {"label": LABEL},
        "no_relationship": {"label": f"{LABEL} 2"},
        "llm": {"label": f"{LABEL} 3", "responses": f"answers {HOSTILE}.csv"},
    },
    "ratings": {"folder": f"ratings {HOSTILE}"},
    "tables": {
        "table2": {"title": LABEL, "caption": f"[draft] {LABEL}"},
        "table4": {"aspects": {"fit": LABEL}, "systems": {"seq2seq": LABEL, "llm": f"{LABEL} 3"}},
    },
    "figures": {"latent_map": {"title": LABEL, "caption": LABEL}},
    "significance": {"trials": 10},
}
TARGETS = ["tables/table2.csv", "tables/table4.csv", "tables/ablations.csv", "report/index.html", "ratings/sheets"]


def test_no_rule_lets_a_name_reach_the_shell(workflow: TinyWorkflow) -> None:
    planned = workflow.run("--dry-run", "-p", *(f"{RESULTS}/{name}" for name in TARGETS), changes=CHANGES)
    assert planned.returncode == 0, planned.stdout
    commands = re.findall(r"^Shell command: (.*?)(?=^\[|\Z)", planned.stdout, re.MULTILINE | re.DOTALL)
    assert len(commands) > 20, planned.stdout
    for command in commands:  # run as printed, with nothing behind the name `python`
        subprocess.run(["bash", "-c", f"python() {{ :; }}; {command}"], cwd=workflow.folder, capture_output=True)
    assert not list(workflow.folder.rglob("canary"))


def test_a_run_among_hostile_names_ends_with_its_table(workflow: TinyWorkflow) -> None:
    done = workflow.run(f"{RESULTS}/tables/table1.csv", changes=CHANGES)
    assert done.returncode == 0, done.stdout
    table = (workflow.folder / RESULTS / "tables/table1.md").read_text()
    assert "touch canary" in table
    assert "\\<script\\>" in table
    assert "<script>" not in table.replace("\\<script\\>", "")
    assert not list(workflow.folder.rglob("canary"))
