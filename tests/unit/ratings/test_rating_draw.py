"""What human judges are shown, and what they must not be able to tell from it."""

import csv
import io
import json
import re
from collections import Counter

import pyarrow as pa
import pytest

from pipeline_lib.config.loading import Layer, load
from pipeline_lib.config.ratings import Questions, Study
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.ratings.draw import draw, read_draw
from pipeline_lib.ratings.sheets import csv_sheet, page, write_sheets
from pipeline_lib.schemas.responses import RESPONSES
from unit.ratings.rating_fixtures import SYSTEMS, rows_of, small_draw, write_responses

QUESTIONS = Questions(aspects={"fit": "Does it fit?"})


def test_contexts_are_distinct_and_a_repeated_one_is_shown_with_its_first_pair(tmp_path):
    file = write_responses(tmp_path / "a.parquet", "a", ["hi", "bye", "hi", "hi"])
    drawn = draw("c", {"a": file}, 1, Study(), QUESTIONS)
    assert sorted((item.context, item.example_id) for item in drawn.items) == [("bye", 101), ("hi", 100)]


def test_the_contexts_of_a_draw_do_not_depend_on_the_systems(tmp_path):
    def contexts(systems):
        return [item.context for item in small_draw(tmp_path, 40, systems, contexts=10).items]

    assert contexts(SYSTEMS) == contexts(SYSTEMS[:1])
    assert len(set(contexts(SYSTEMS))) == 10


def test_a_draw_is_the_same_every_time_and_another_for_another_seed(tmp_path):
    one, again, other = (small_draw(tmp_path, 40, contexts=10, seed=seed) for seed in (1, 1, 2))
    assert one.model_dump_json() == again.model_dump_json()
    assert {item.example_id for item in one.items} != {item.example_id for item in other.items}


def test_fewer_contexts_than_asked_for_are_all_taken_and_the_log_says_so(tmp_path, capsys):
    assert len(small_draw(tmp_path, 4, contexts=200).items) == 4
    assert "4 different contexts" in capsys.readouterr().err


def test_a_response_whose_group_the_reference_chose_is_never_shown(tmp_path):
    contexts = ["a", "b"]
    parts = [
        read_parquet(write_responses(tmp_path / f"{s}.parquet", s, contexts, [f"{s} chose"] * 2, s))
        for s in ("oracle", "context")
    ]
    write_parquet(tmp_path / "both.parquet", pa.concat_tables(parts), RESPONSES)
    drawn = draw("c", {"sepacvae": tmp_path / "both.parquet"}, 1, Study(split="validation"), QUESTIONS)
    assert {r.text for item in drawn.items for r in item.responses} == {"context chose"}


def test_the_key_tells_which_system_stands_apart_and_no_sheet_does(tmp_path):
    plain, marked = (write_responses(tmp_path / f"{name}.parquet", name, ["hi", "bye"]) for name in ("a", "b"))
    write_parquet(marked, read_parquet(marked, RESPONSES), RESPONSES, {"apart": "apart-seen"})
    drawn = draw("c", {"a": plain, "b": marked}, 1, Study(), QUESTIONS)
    assert drawn.apart == {"b": "apart-seen"}
    assert "apart-seen" not in csv_sheet(drawn) + page(drawn)


def test_neither_sheet_names_a_system_or_a_pair(tmp_path):
    neutral = {system: [f"text {i} {j}" for i in range(30)] for j, system in enumerate(SYSTEMS)}
    drawn = small_draw(tmp_path, 30, texts=neutral)
    for sheet in (csv_sheet(drawn), page(drawn)):
        shown = re.sub(r"<(style|script)>.*?</\1>", "", sheet, flags=re.DOTALL)
        for hidden in (*SYSTEMS, "example", *(str(item.example_id) for item in drawn.items)):
            assert hidden not in shown


def test_every_system_comes_at_every_place_about_equally_often(tmp_path):
    drawn = small_draw(tmp_path, 600, contexts=600)
    places = Counter((place, r.system) for item in drawn.items for place, r in enumerate(item.responses))
    # binomial: mean 200, standard deviation 11.5
    assert all(abs(places[place, system] - 200) < 4 * 11.5 for place in range(3) for system in SYSTEMS)


def test_ids_are_letters_that_a_spreadsheet_leaves_alone_and_all_differ(tmp_path):
    rows = rows_of(small_draw(tmp_path, 300, contexts=300))
    assert all(re.fullmatch(r"[b-z]{8}", row["item"]) and row["response_id"].isalpha() for row in rows)
    assert len({row["response_id"] for row in rows}) == 900
    assert len({row["item"] for row in rows}) == 300


def test_the_fingerprint_changes_with_whatever_a_rater_sees_and_not_with_names_of_systems(tmp_path):
    first = small_draw(tmp_path)
    reworded = small_draw(tmp_path, aspects={"relevance": "Otherwise?", "fluency": "Is it <b>grammatical</b>?"})
    rescaled = small_draw(tmp_path, scale={"kind": "yes_no"})
    answered = small_draw(tmp_path, texts={"human": ["a", "b", "c", "other"]})
    assert len({draw_.sheet for draw_ in (first, reworded, rescaled, answered)}) == 4
    assert first.sheet.startswith("small-")


def test_the_csv_sheet_has_a_row_for_each_response_and_a_cell_for_each_aspect(tmp_path):
    drawn = small_draw(tmp_path)
    rows = rows_of(drawn)
    columns = ["sheet", "rater", "item", "response_id", "context", "response", "relevance", "fluency"]
    assert list(rows[0]) == columns
    assert len(rows) == 4 * 3
    assert {row["sheet"] for row in rows} == {drawn.sheet}
    assert all(row[empty] == "" for row in rows for empty in ("rater", "relevance", "fluency"))


def test_text_that_a_spreadsheet_would_run_as_a_formula_is_made_inert(tmp_path):
    texts = {"human": ['=HYPERLINK("x")', "+1", "-1", "@a"]}
    shown = {row["response"] for row in rows_of(small_draw(tmp_path, texts=texts))}
    assert {'\'=HYPERLINK("x")', "'+1", "'-1", "'@a"} < shown


def test_the_key_that_is_written_is_read_back(tmp_path):
    drawn = small_draw(tmp_path)
    (tmp_path / "key.json").write_text(drawn.model_dump_json(indent=1))
    assert read_draw(tmp_path / "key.json") == drawn
    assert list(read_draw(tmp_path / "key.json").aspects) == ["relevance", "fluency"]


def test_both_sheets_of_a_corpus_are_written(tmp_path):
    write_sheets(tmp_path / "sheets", small_draw(tmp_path))
    assert sorted(path.name for path in (tmp_path / "sheets").glob("[!.]*")) == ["sheet.csv", "sheet.html"]
    header = next(csv.reader(io.StringIO((tmp_path / "sheets/sheet.csv").read_text(encoding="utf-8-sig"))))
    assert header[0] == "sheet"


def test_systems_that_answered_other_pairs_are_named(tmp_path):
    files = {"a": write_responses(tmp_path / "a.parquet", "a", ["x", "y"])}
    files["b"] = write_responses(tmp_path / "b.parquet", "b", ["x"])
    with pytest.raises(PipelineError, match="b answers 1 examples, a 2") as caught:
        draw("c", files, 1, Study(), QUESTIONS)
    assert caught.value.where == str(files["b"])
    assert caught.value.expected
    assert caught.value.remedy


def test_a_file_that_is_no_key_is_named(tmp_path):
    (tmp_path / "key.json").write_text(json.dumps({"corpus": "c"}))
    with pytest.raises(PipelineError, match="not a key") as caught:
        read_draw(tmp_path / "key.json")
    assert caught.value.where == str(tmp_path / "key.json")


def study(systems=None, **changes):
    """A run with a table of ratings."""
    table = {"kind": "ratings", "title": "Human judgement", "aspects": {"fit": "?"}, "systems": systems}
    table |= {key: value for key, value in changes.items() if key in Questions.model_fields}
    values = {
        "paper": "own",
        "preset": "small",
        "title": "Own",
        "citation": "us",
        "corpora": ["small"],
        "seeds": [1],
        "sources": {"small": {"reader": "synthetic", "label": "Small", "licence": "own", "synthetic": {}}},
        "systems": {
            "random": {"label": "Random", "baseline": "random"},
            "human": {"label": "Human", "baseline": "human"},
            "cvae": {"label": "CVAE", "model": "m:CVAE"},
            "llm": {"label": "LLM", "responses": "x.csv"},
        },
        "tables": {"table4": table},
        "ratings": {key: value for key, value in changes.items() if key in Study.model_fields},
    }
    return load([Layer("small.yaml", values)])


def test_all_but_the_random_response_are_judged_unless_the_table_names_systems():
    assert study().systems_of("table4") == ["human", "cvae", "llm"]
    assert study(systems=["cvae", "random"]).systems_of("table4") == ["cvae", "random"]


def test_a_judged_system_has_the_name_that_the_paper_uses():
    layout = study(systems={"human": "Ground-truth", "cvae": "CVAE"}).layout("table4")
    assert [system.label for system in layout.systems.values()] == ["Ground-truth", "CVAE"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"systems": ["cvea"]}, "tables.table4.systems: no system 'cvea'; did you mean 'cvae'"),
        ({"run": 7}, "ratings.run: there is no run with seed 7"),
        ({"aspects": {"context": "?"}}, "'context' is a column of rating sheets"),
        ({"scale": {"kind": "score"}}, "needs `values:`"),
        ({"scale": {"kind": "score", "values": [1, 10]}}, "less than or equal to 9"),
        ({"scale": {"kind": "rank", "values": [1, 2]}}, "the other kinds have none"),
    ],
)
def test_settings_that_no_sheet_can_follow_are_refused(changes, message):
    with pytest.raises(PipelineError) as caught:
        study(**changes)
    assert message in caught.value.problem
