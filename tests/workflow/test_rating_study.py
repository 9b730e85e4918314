"""From sheets to Table 4 through the workflow."""

import csv

TARGET = "results/tables/table4.csv"


def cells(workflow, column):
    with open(workflow.results / "tables/table4.csv", newline="", encoding="utf-8") as file:
        return {row["label"]: row[column] for row in csv.DictReader(file)}


def fill(sheet, to):
    """Every response of every context shares the first place."""
    with open(sheet, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    to.parent.mkdir()
    with open(to, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(
            row | {"rater": "anna"} | dict.fromkeys(("diversity", "relevance", "fluency"), "1") for row in rows
        )


def test_sheets_are_drawn_filled_and_imported_and_their_key_outlives_a_retraining(checkout):
    copy = checkout()
    (copy.results / "tables/table4.csv").unlink()
    assert copy.planned(TARGET) == {"make_rating_table table4"}  # without ratings no response is asked for
    done = copy.run(TARGET, "results/ratings/sheets")
    assert done.returncode == 0, done.stdout
    assert set(cells(copy, "diversity").values()) == {"not collected"}
    assert (copy.results / "ratings/sheets/embedded/sheet.html").stat().st_size

    fill(copy.results / "ratings/sheets/embedded/sheet.csv", copy.folder / "ratings/anna.csv")
    done = copy.run(TARGET)
    assert done.returncode == 0, done.stdout
    assert "make_rating_table" in done.stdout
    assert "draw_rating_items" not in done.stdout
    assert cells(copy, "diversity")["Seq2Seq"] == "1.0"
    assert cells(copy, "average rank: diversity")["Seq2Seq"] == "2.5"  # four systems, all tied

    retrained = {"systems": {"seq2seq": {"training": {"optimiser": {"learning_rate": 0.001}}}}}
    assert "draw_rating_items" in copy.planned(TARGET, changes=retrained)
    (kept,) = (copy.results / "ratings/keys/kept").glob("*.json")
    kept.rename(copy.folder / "ratings/embedded.json")
    assert copy.planned(TARGET, changes=retrained) == {"make_rating_table table4"}
