"""Tables of settings beside those that a paper names."""

import csv

import pytest

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import SettingTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.tables.files import read_table, write_csv, write_table
from pipeline_lib.tables.latex import latex
from pipeline_lib.tables.markdown import markdown
from pipeline_lib.tables.published import Published, PublishedValue
from pipeline_lib.tables.settings import make
from unit.tables.table_fixtures import trained

LAYOUT = Layout(corpora={}, systems={"rnnlm": trained("RNNLM"), "vae": trained("VAE")}, seeds=[])
SPEC = SettingTable.model_validate(
    {
        "kind": "settings",
        "title": "Sizes",
        "number": "11",
        "as": {"rnnlm": "RNNLM (standard)", "vae": "VAE (standard)"},
        "columns": {"embedding": "network.embedding", "z": "network.latent", "reversed": "options.reversed"},
    }
)
SETTINGS = {
    "rnnlm": {"network": {"embedding": 256}, "options": {"reversed": False}, "training": {}},
    "vae": {"network": {"embedding": 256, "latent": 16}, "options": {}, "training": {}},
}
PRINTED = Published(
    {
        ("11", "PTB", "", "RNNLM (standard)", "embedding"): PublishedValue(464.0, "464"),
        ("11", "PTB", "", "VAE (standard)", "z"): PublishedValue(13.0, "13"),
    }
)


def test_settings_are_printed_as_they_are_with_the_published_ones_below(tmp_path):
    table = make("table11", SPEC, LAYOUT, SETTINGS, PRINTED)
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in markdown(table).splitlines() if "|" in line
    ]
    assert lines[0] == ["System", "embedding", "z", "reversed"]
    assert lines[2:] == [
        ["RNNLM", "256", "–", "false"],
        ["published", "464", "", ""],
        ["VAE", "256", "16", "–"],
        ["published", "", "13", ""],
    ]
    paths = [tmp_path / f"table11.{kind}" for kind in ("csv", "md", "tex", "json")]
    write_table(table, *paths)
    assert read_table(paths[3]) == table
    with open(paths[0], newline="") as file:
        records = list(csv.DictReader(file))
    assert (records[1]["system"], records[1]["z"], records[1]["z published"]) == ("vae", "16", "13.0")
    assert latex(table).count(r"\begin{tabular}") == 1


def test_in_the_csv_a_negative_setting_is_a_number_and_a_text_no_formula(tmp_path):
    write_csv(tmp_path / "t.csv", [{"label": "=1+1", "threshold": "-1", "low": -0.5, "none": None}], has_words=True)
    assert (tmp_path / "t.csv").read_text() == "label,threshold,low,none\n'=1+1,-1,-0.5,\n"


def test_a_setting_that_no_system_has_is_an_error_that_names_the_nearest():
    spec = SPEC.model_copy(update={"columns": {"z": "network.latents"}})
    with pytest.raises(PipelineError, match=r"no system has a setting 'network\.latents'") as error:
        make("table11", spec, LAYOUT, SETTINGS, PRINTED)
    assert "'network.latent'" in error.value.expected
    assert error.value.where == "tables.table11.columns.z"
    assert error.value.remedy
