"""Tables of measured values and of imputed endings."""

import csv

import pyarrow as pa
import pytest

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ImputationTable, MeasureTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.imputations import IMPUTATIONS
from pipeline_lib.schemas.measures import MEASURES
from pipeline_lib.tables import imputations, measures
from pipeline_lib.tables.files import read_table, write_table
from pipeline_lib.tables.published import COLUMNS, Published

SYSTEMS = {"vae": {"label": "VAE", "model": "a:B"}, "ae": {"label": "AE", "model": "a:B"}}
LAYOUT = Layout.model_validate({"corpora": {"c": "Corpus"}, "systems": SYSTEMS, "seeds": [1, 2]})
SPEC = MeasureTable.model_validate(
    {
        "kind": "measures",
        "title": "Probe",
        "number": "9",
        "from": "probe",
        "systems": list(SYSTEMS),
        "digits": 1,
        "columns": ["accuracy", "F1"],
        "extra": ["oracle"],
    }
)
PUBLISHED = [
    ("9", "Corpus", "test", "VAE+feats", "accuracy", "75.0", ""),
    ("9", "Corpus", "test", "ST", "accuracy", "73.0", ""),
    ("9", "Other", "test", "RAE", "accuracy", "72.0", ""),
]


def run(value, f1=None):
    rows = [
        ("{system}", "accuracy", value, 1.5, 100),
        ("{system}+feats", "accuracy", value + 1, 1.4, 100),
        ("{system}+feats", "F1", f1 or 80.0, None, 100),
        ("majority", "accuracy", 60.0, 2.0, 100),
    ]
    return pa.Table.from_pylist([dict(zip(MEASURES.names, row, strict=True)) for row in rows], MEASURES)


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{number}.parquet" for number in range(4)]
    for path, value in zip(paths, (70.0, 72.0, 50.0, 54.0), strict=True):
        write_parquet(path, run(value), MEASURES)
    return paths


@pytest.fixture
def published(tmp_path):
    with open(tmp_path / "published.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *PUBLISHED])
    return Published.read(tmp_path / "published.csv")


def test_rows_are_of_systems_then_shared_ones_then_those_that_are_only_quoted(files, published):
    table = measures.make("table9", SPEC, LAYOUT, files, published)
    assert [row.label for row in table.rows] == [
        "VAE",
        "VAE+feats",
        "AE",
        "AE+feats",
        "majority",
        "ST (published only)",
    ]
    vae, _, ae, _, shared, quoted = (row.cells["accuracy"] for row in table.rows)
    assert (vae.mean, ae.mean, shared.mean, quoted.mean) == (71, 52, 60, None)
    assert (vae.sd, vae.error, vae.items) == (pytest.approx(2**0.5), pytest.approx(1.5), 100)
    assert quoted.published.text == "73.0"
    assert table.rows[1].cells["accuracy"].published.value == 75


def test_published_values_of_the_corpus_that_another_stands_for_are_shown_and_not_subtracted(files, published):
    layout = LAYOUT.model_copy(update={"corpora": {"c": "Own"}, "stands_for": {"c": "Corpus"}})
    table = measures.make("table9", SPEC, layout, files, published)
    cell = table.rows[1].cells["accuracy"]
    assert (cell.mean, cell.published.text, cell.difference) == (72, "75.0", None)
    assert table.rows[-1].label == "ST (published only)"
    assert "Published values beside Own are of Corpus, another corpus; nothing is subtracted from them." in table.notes
    assert not [note for note in measures.make("t", SPEC, LAYOUT, files, published).notes if "another corpus" in note]


def test_a_further_column_without_any_value_is_left_out(files, published):
    table = measures.make("table9", SPEC, LAYOUT, files, published)
    assert [column.name for column in table.shown] == ["accuracy", "F1"]
    assert table.rows[0].cells["F1"].mean is None


def test_the_notes_say_how_large_standard_errors_are(files, published):
    notes = measures.make("table9", SPEC, LAYOUT, files, published).notes
    assert "accuracy: standard error within a run at the most 2.0, over 100 items." in notes


def test_a_column_that_no_run_has_is_an_error_that_names_the_nearest(files, published):
    spec = SPEC.model_copy(update={"columns": ["acuracy"]})
    with pytest.raises(PipelineError, match="no value 'acuracy'") as caught:
        measures.make("table9", spec, LAYOUT, files, published)
    assert "accuracy" in caught.value.expected


def test_the_csv_has_errors_and_items_and_the_json_reads_back(files, published, tmp_path):
    table = measures.make("table9", SPEC, LAYOUT, files, published)
    paths = [tmp_path / f"table9.{kind}" for kind in ("csv", "md", "tex", "json")]
    write_table(table, *paths)
    with open(paths[0], newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    first = rows[0]
    assert (first["system"], first["label"], first["accuracy"], first["accuracy items"]) == ("vae", "VAE", "71", "100")
    assert float(first["accuracy se"]) == pytest.approx(1.5)
    assert float(rows[1]["accuracy difference"]) == pytest.approx(-3)
    assert read_table(paths[3]) == table
    assert "| ST (published only) |" in paths[1].read_text(encoding="utf-8").replace("  ", "")


# --- imputed endings --------------------------------------------------------------------------------------------------


def test_imputed_endings_stand_beside_the_true_ones_a_column_for_each_system(tmp_path):
    files = []
    for system in SYSTEMS:
        for seed in (1, 2):
            files.append(tmp_path / f"{system}{seed}.parquet")
            rows = [(i, "b", f"known {i} {seed}", "true", f"{system} {i}") for i in range(3)]
            table = pa.Table.from_pylist(
                [dict(zip(IMPUTATIONS.names[:5], row, strict=True)) for row in rows], IMPUTATIONS
            )
            write_parquet(files[-1], table, IMPUTATIONS)
    spec = ImputationTable.model_validate(
        {"kind": "imputations", "title": "T", "from": "i", "systems": list(SYSTEMS), "shown": 2}
    )
    table = imputations.make("table3", spec, LAYOUT, files)
    [block] = table.sections[0].blocks
    assert block.lines == [
        ["Known words", "True ending", "VAE", "AE"],
        ["known 0 1", "true", "vae 0", "ae 0"],
        ["known 1 1", "true", "vae 1", "ae 1"],
    ]
    assert len(table.records) == 6
    expected = {"corpus": "c", "seed": 2, "sentence": 2, "prefix": "known 2 2", "true": "true"}
    assert table.records[-1] == expected | {"vae": "vae 2", "ae": "ae 2"}


def test_corpora_of_which_one_has_verdicts_have_the_same_columns(tmp_path):
    files, layout = [], LAYOUT.model_copy(update={"corpora": {"c": "C", "d": "D"}, "seeds": [1]})
    for number in range(4):
        files.append(tmp_path / f"{number}.parquet")
        row = {"pair": 0, "beside": "b", "prefix": "p", "ending": "e", "imputed": "x"}
        row |= {"grammatical": True} if number < 2 else {}
        write_parquet(files[-1], pa.Table.from_pylist([row], IMPUTATIONS), IMPUTATIONS)
    spec = ImputationTable.model_validate({"kind": "imputations", "title": "T", "from": "i", "systems": list(SYSTEMS)})
    records = imputations.make("table3", spec, layout, files).records
    assert [record["vae grammatical"] for record in records] == [True, None]


def test_what_is_known_of_completed_sentences_is_averaged_over_the_runs_of_each_system(tmp_path):
    good = {
        "vae1": [True, True, False, False],
        "vae2": [True] * 4,
        "ae1": [False] * 4,
        "ae2": [True, False, False, False],
    }
    files = []
    for run, of_run in good.items():
        files.append(tmp_path / f"{run}.parquet")
        rows = [
            {
                "pair": i,
                "beside": "b",
                "prefix": "p",
                "ending": "e",
                "imputed": "x",
                "nll_lm": 2.0 + i,
                "grammatical": one,
            }
            | {"topic_agrees": i > 0 if one else None}
            for i, one in enumerate(of_run)
        ]
        write_parquet(files[-1], pa.Table.from_pylist(rows, IMPUTATIONS), IMPUTATIONS)
    spec = ImputationTable.model_validate({"kind": "imputations", "title": "T", "from": "i", "systems": list(SYSTEMS)})
    table = imputations.make("table3", spec, LAYOUT, files)
    means = {line[0]: line[1:] for line in table.sections[0].blocks[1].lines if "seed" not in line[0]}
    header = means[""]
    assert header == ["sentences", "grammatical", "topic agrees", "nll_lm"]
    vae, ae = (dict(zip(header, means[label], strict=True)) for label in ("VAE", "AE"))
    assert vae["sentences"] == "4"  # of each run, partly the same, so intervals are of one run
    assert (vae["grammatical"], ae["grammatical"]) == ("0.75", "0.12")
    assert vae["topic agrees"] == "0.62"  # of grammatical ones: 1/2 in one run, 3/4 in the other
    assert vae["nll_lm"] == "3.50"
    runs = [line[-1] for line in table.sections[0].blocks[1].lines if line[0] == "run with seed 1"]
    assert runs[0].startswith("3.50 [")
    assert [line[0] for line in table.sections[0].blocks[1].lines].count("run with seed 2") == 2
    assert table.records[0]["vae grammatical"] is True
    assert sum("topic agrees:" in note for note in table.notes) == 1
