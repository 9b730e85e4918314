"""Published values under a name that nothing has: a warning, where another name is likely to be meant."""

from pathlib import Path

import pytest

from pipeline_lib.config.loading import papers_in, presets_in, read_run
from pipeline_lib.runs.unshown import unshown
from unit.refusals import refusal

ROOT = Path(__file__).parents[3]
PAPERS = ROOT / "papers"
SEPACVAE = {"paper": "sepacvae", "preset": "small"}


@pytest.mark.parametrize("paper", papers_in(PAPERS))
def test_every_paper_of_the_project_spells_its_published_names_as_its_tables_do(paper):
    for preset in presets_in(PAPERS / paper):
        config = read_run(ROOT, {"paper": paper, "preset": preset})
        assert not list(unshown(config, PAPERS / paper / "published.csv")), preset


@pytest.mark.parametrize(("name", "written", "what"), [("Seq2Seq", "Seq2seq", "row"), ("BLEU-1", "BLEU1", "column")])
def test_a_misspelt_name_is_warned_of_with_the_right_one(tmp_path, name, written, what):
    file = tmp_path / "published.csv"
    text = (PAPERS / "sepacvae/published.csv").read_text(encoding="utf-8")
    lines = [line.replace(name, written) if line.startswith("2,") else line for line in text.splitlines()]
    file.write_text("\n".join(lines), encoding="utf-8")
    [warning] = unshown(read_run(ROOT, SEPACVAE), file)
    assert warning.endswith(
        f"published.csv: table 2 has a {what} {written!r} that no table shows; did you mean {name!r}?"
    )


def test_a_paper_without_published_values_needs_the_first_line_of_the_file(tmp_path):
    config = read_run(ROOT, SEPACVAE)
    error = refusal(lambda: list(unshown(config, tmp_path / "published.csv")))
    assert "its first line alone" in error.remedy
    (tmp_path / "published.csv").write_text("table,dataset,split,system,column,value,sd\n", encoding="utf-8")
    assert not list(unshown(config, tmp_path / "published.csv"))
