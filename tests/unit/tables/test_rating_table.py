"""Tables of human judgement: their statistics against hand-made cases, and what they say where nobody rated."""

import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import RatingTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.ratings.agreement import correlation, fleiss_kappa, krippendorff_alpha
from pipeline_lib.ratings.filled import Ratings, read_ratings
from pipeline_lib.report.shown_tables import as_json
from pipeline_lib.tables.files import read_table, write_table
from pipeline_lib.tables.latex import latex
from pipeline_lib.tables.markdown import markdown
from pipeline_lib.tables.rating_values import over_raters, paired_t, paired_tests, ranks
from pipeline_lib.tables.ratings import NOT_COLLECTED, make
from unit.ratings.rating_fixtures import filled, save, small_draw
from unit.tables.table_fixtures import baseline, published, trained

LABELS = {"seq2seq": "Seq2Seq", "cvae_bow": "CVAE+BOW", "k_cvae_bow": "K-CVAE+BOW", "sepacvae": "SepaCVAE"}
HUMAN = baseline("Human reference", "human")
SYSTEMS = {"human": HUMAN} | {name: trained(label) for name, label in LABELS.items()}
ASPECTS = {"diversity": "Says something of its own?", "relevance": "Fits?", "fluency": "Grammatical?"}
LAYOUT = Layout(corpora={"small": "DailyDialog"}, systems=SYSTEMS, seeds=[])
NAN = float("nan")


def spec_of(aspects=ASPECTS, scale=None, **further):
    named = {"number": "4", "as": {"human": "Ground-truth"}, "digits": 2}
    plain = {"kind": "ratings", "title": "Human judgement", "aspects": aspects, "scale": scale or {}}
    return RatingTable.model_validate(plain | named | further)


def test_the_aspects_and_scales_of_the_page_on_ratings_are_accepted():
    page = (Path(__file__).parents[3] / "docs/human-ratings.md").read_text(encoding="utf-8")
    block = yaml.safe_load(page.split("## Aspects and scales")[1].split("```yaml")[1].split("```")[0])
    spec = RatingTable.model_validate({"kind": "ratings", "title": "Judged", **block["tables"]["table4"]})
    assert {name: scale.kind for name, scale in spec.scales.items()} == {"personality": "yes_no"}


def made(draws, ratings, layout=LAYOUT, spec=None):
    return make("table4", spec or spec_of(), layout, draws, ratings, 0.05, published())


def records(table):
    """The CSV of a table; its JSON reads back as the table."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"table4.{kind}" for kind in ("csv", "md", "tex", "json")]
        write_table(table, *paths)
        assert read_table(paths[3]) == table
        return list(csv.DictReader(paths[0].read_text(encoding="utf-8").splitlines()))


def row_of(table, label):
    return next(row for row in records(table) if row["label"] == label)


# --- without ratings ---


def test_without_ratings_every_one_of_our_cells_says_so_and_the_published_figures_stand():
    table = made({}, {})
    for row in records(table):
        ours = {key: value for key, value in row.items() if key not in ("corpus", "system", "label")}
        ours = {key: value for key, value in ours.items() if not key.endswith((" published", " lead", " significant"))}
        agreement = not row["system"]  # of the aspects alone, not of the average ranks
        assert set(ours.values()) == ({"", NOT_COLLECTED} if agreement else {NOT_COLLECTED})
        assert row["diversity"] == row["diversity difference"] == row["fluency n"] == NOT_COLLECTED
    assert row_of(table, "SepaCVAE")["diversity published"] == "2.11"
    assert row_of(table, "Human reference")["fluency published"] == "1.0"
    assert row_of(table, "Pearson between raters")["relevance published"] == "0.63"
    shown = markdown(table)
    assert shown.count(NOT_COLLECTED) >= 5 * 6
    assert "2.11" in shown
    assert NOT_COLLECTED in latex(table)


def test_only_corpora_of_the_paper_have_published_values_beside_them():
    layout = LAYOUT.model_copy(update={"corpora": {"own": "Own"}})
    assert all(
        not value for row in records(made({}, {}, layout)) for key, value in row.items() if key.endswith("published")
    )


def test_the_published_ranks_cannot_be_average_ranks():
    names = ["Seq2Seq", "CVAE+BOW", "K-CVAE+BOW", "SepaCVAE", "Ground-truth"]
    for dataset in ("DailyDialog", "OpenSubtitles"):
        for aspect in ("diversity", "relevance", "fluency"):
            values = [published().value("4", f"{aspect} rank", name, dataset, "test").value for name in names]
            assert sum(values) < 15 - 5 * 0.005  # average ranks of five add up to 15, up to rounding


# --- statistics ---


@pytest.mark.parametrize("typed", [[1, 2, 2, 3], [1, 2, 2, 4], [2, 3, 3, 5], [1, 5, 5, 6]])
def test_raters_habits_with_ties_do_not_matter(typed):
    values = np.array([[typed]], dtype=float)
    assert ranks(values, "average")[0, 0].tolist() == [1, 2.5, 2.5, 4]
    assert ranks(values, "min")[0, 0].tolist() == [1, 2, 2, 4]


def test_average_ranks_of_an_item_add_up_to_the_same_sum_whatever_the_ties():
    values = np.random.default_rng(0).integers(1, 6, (3, 50, 5)).astype(float)
    assert np.allclose(ranks(values, "average").sum(axis=-1), 15)


def test_an_item_counts_once_however_many_raters_it_had():
    values = np.full((2, 3, 2), NAN)
    values[0, 0], values[1, 0], values[0, 2] = (1, 2), (2, 1), (1, 2)
    assert over_raters(values).tolist() == [[1.5, 1.5], [1, 2]]


def test_alpha_gives_krippendorffs_own_textbook_values():
    # Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, data D: four observers, twelve units
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
    assert krippendorff_alpha(np.array(observers), "nominal") == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(np.array(observers), "ordinal") == pytest.approx(0.815, abs=5e-4)


@pytest.mark.parametrize(
    "values", [[[1, 2, 3]], [[1, 1], [1, 1]], [[1, NAN], [NAN, 2]]], ids=["one rater", "all alike", "nothing in common"]
)
def test_agreement_is_undefined_rather_than_made_up(values):
    assert krippendorff_alpha(np.array(values, float), "ordinal") is None
    assert correlation(np.array(values, float), "pearson") == (None, 0)


def test_the_correlation_is_the_mean_over_pairs_of_raters_on_what_both_rated():
    values = np.array([[1, 2, 3, 4, NAN], [1, 3, 2, 4, 5], [4, 3, 2, NAN, 1]], float)
    examples = [(values[0, :4], values[1, :4]), (values[0, :3], values[2, :3])]
    examples.append((values[1, [0, 1, 2, 4]], values[2, [0, 1, 2, 4]]))
    by_hand = np.mean([np.corrcoef(a, b)[0, 1] for a, b in examples])
    assert correlation(values, "pearson") == (pytest.approx(by_hand), 3)
    by_hand = np.mean([np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1] for a, b in examples])
    assert correlation(values, "spearman") == (pytest.approx(by_hand), 3)


def test_the_correlation_of_untied_ranks_is_the_mean_over_items_of_spearmans():
    random = np.random.default_rng(0)
    raters = np.stack([[random.permutation(5) + 1.0 for _ in range(30)] for _ in range(2)])
    by_item = [stats.spearmanr(a, b)[0] for a, b in zip(*raters, strict=True)]
    assert correlation(raters.reshape(2, -1), "pearson")[0] == pytest.approx(np.mean(by_item))


def test_the_paired_test_is_wilcoxons_with_holms_correction():
    # ten items, no ties: the first column is lower in all ten, by different amounts; p = 2 / 2^10
    best = np.zeros(10)
    clearly, barely = best + np.arange(1, 11), best + np.array([1, -2, 3, -4, 5, -6, 7, -8, 9, 10.5])
    index, changes = paired_tests(np.stack([barely, best, clearly], axis=1), "lower", 0.05)
    assert index == 1
    assert changes[2].p_adjusted == pytest.approx(2 * 2 / 2**10)
    assert changes[2].significant
    # signed ranks of the negative differences: 2 + 4 + 6 + 8 = 20 of 55
    below = sum(_subsets_with_sum(10, total) for total in range(21))
    assert changes[0].p_adjusted == pytest.approx(2 * below / 2**10)
    assert not changes[0].significant
    assert changes[0].difference == pytest.approx(barely.mean())


def _subsets_with_sum(n, total):
    """How many subsets of {1, ..., n} have this sum."""
    ways = [1] + [0] * total
    for k in range(1, n + 1):
        for s in range(total, k - 1, -1):
            ways[s] += ways[s - k]
    return ways[total]


def test_systems_that_are_always_tied_do_not_differ():
    _, changes = paired_tests(np.ones((6, 2)), "higher", 0.05)
    assert changes[1].p_adjusted == 1.0
    assert not changes[1].significant


def test_the_paired_t_test_is_two_tailed_with_holms_correction_in_a_family_of_its_own():
    # of two degrees of freedom the two-tailed p of t is 1 - |t| / sqrt(2 + t^2)
    best, barely, clearly = np.array([9.0, 9, 9]), np.array([8.0, 7, 9.5]), np.array([8.0, 7, 6])

    def by_hand(other):
        apart = best - other
        t = apart.mean() / (apart.std(ddof=1) / np.sqrt(3))
        return 1 - t / np.sqrt(2 + t**2)

    assert by_hand(clearly) == pytest.approx(1 - np.sqrt(12 / 14))  # differences 1, 2, 3: t = 2 sqrt(3)
    items = np.stack([barely, best, clearly], axis=1)
    assert paired_t(items, 1) == [pytest.approx(by_hand(barely)), None, pytest.approx(2 * by_hand(clearly))]
    assert paired_t(-items, 1) == pytest.approx(paired_t(items, 1))
    # t is undefined where the differences do not vary, but for rounding
    assert paired_t(np.array([[0.7, 0.8], [0.1, 0.2]]), 1) == [None, None]
    assert paired_t(items[:1], 1) == [None] * 3


# --- the table ---


def collected(values, systems, scale=None, aspects=("relevance",)):
    """A table of ratings given as (raters, items, systems)."""
    spec = spec_of(dict.fromkeys(aspects, "?"), scale)
    ratings = Ratings([f"r{i}" for i in range(len(values))], systems, dict.fromkeys(aspects, np.array(values, float)))
    return spec, ratings


def table_of(tmp_path, values, systems, **how):
    spec, ratings = collected(values, systems, **how)
    draw = small_draw(tmp_path, len(values[0]), systems, aspects=spec.aspects, scale=spec.scale)
    return made({"small": draw}, {"small": ratings}, spec=spec)


def test_a_cell_holds_mean_spread_interval_items_and_the_difference_from_the_published(tmp_path):
    table = table_of(tmp_path, [[[1, 2, 2], [1, 3, 2]]], ["human", "seq2seq", "sepacvae"])
    row = row_of(table, "Seq2Seq")
    assert (float(row["relevance"]), row["relevance n"]) == (2.5, "2")  # ties share place 2
    assert float(row["average rank: relevance"]) == 2.75  # or 2.5
    assert float(row["relevance sd"]) == pytest.approx(np.sqrt(0.5))
    assert float(row["relevance high"]) - 2.5 == pytest.approx(12.7062 * 0.5, rel=1e-4)  # t with one degree of freedom
    assert float(row["relevance difference"]) == pytest.approx(2.5 - 3.12)


def test_the_best_system_leads_the_others_and_the_human_reference_competes_with_nobody(tmp_path):
    values = [[[1, 3, 2]] * 8, [[1, 3, 2]] * 8]
    table = table_of(tmp_path, values, ["human", "seq2seq", "sepacvae"])
    by_system = {row.system: row.cells["average rank: relevance"] for row in table.rows}
    assert by_system["sepacvae"].lead == "models"
    assert by_system["human"].lead == ""
    assert by_system["human"].change is None
    assert by_system["seq2seq"].change.p_adjusted == pytest.approx(2 / 2**8)
    assert "**2.00±0.00**◇" in markdown(table)


def test_a_system_that_stands_apart_says_why_competes_with_nobody_and_has_no_difference_from_the_published(tmp_path):
    systems = ["seq2seq", "human", "sepacvae"]
    spec, ratings = collected([[[1, 3, 2]] * 8, [[1, 3, 2]] * 8], systems)
    drawn = small_draw(tmp_path, 8, systems, aspects=spec.aspects, scale=spec.scale)
    marked = drawn.model_copy(update={"apart": {"seq2seq": "apart-random"}})
    assert marked.sheet == drawn.sheet
    table = made({"small": marked}, {"small": ratings}, spec=spec)
    by_system = {row.system: row for row in table.rows}
    assert by_system["seq2seq"].label == "Seq2Seq (random initialisation)"
    assert by_system["seq2seq"].cells["average rank: relevance"].change is None
    assert by_system["sepacvae"].cells["average rank: relevance"].change is None  # nobody is left to compare with
    row = row_of(table, "Seq2Seq (random initialisation)")
    assert row["relevance difference"] == ""
    assert row["relevance published"] != ""
    assert any(note.startswith("(random initialisation): no pretrained weights") for note in table.notes)


def test_kappa_gives_the_textbook_value_of_fleiss():
    """Ten subjects that fourteen raters put into five categories (Fleiss 1971, as commonly reprinted): 0.210."""
    counts = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
    values = np.array([np.repeat(np.arange(5.0), row) for row in counts]).T
    assert fleiss_kappa(values) == pytest.approx(0.20993, abs=1e-4)
    assert fleiss_kappa(values[:1]) is None
    assert fleiss_kappa(np.ones((3, 4))) is None
    assert fleiss_kappa(np.array([[1, 2, NAN], [1, 2, 2]])) == pytest.approx(1)


def test_each_aspect_is_shown_and_agreed_upon_by_its_own_scale(tmp_path):
    scales = {"wit": {"kind": "yes_no"}, "order": {"kind": "rank"}}
    spec = spec_of({"ease": "?", "wit": "?", "order": "?"}, {"kind": "score", "values": [1, 2, 3]}, scales=scales)
    ease = np.array([[[3, 1], [2, 2], [1, 2]], [[3, 2], [2, 1], [1, 2]]], float)
    wit = np.array([[[1, 0], [1, 0], [0, 0]], [[1, 0], [0, 0], [1, 0]]], float)
    order = np.array([[[1, 2], [1, 1], [2, 1]], [[1, 2], [2, 1], [2, 1]]], float)
    systems = ["seq2seq", "sepacvae"]
    ratings = Ratings(["r0", "r1"], systems, {"ease": ease, "wit": wit, "order": order})
    asked = {"aspects": spec.aspects, "scale": spec.scale, "scales": spec.scales}
    table = made({"small": small_draw(tmp_path, 3, systems, **asked)}, {"small": ratings}, spec=spec)
    names = [column.name for column in table.columns]
    assert [column.better for column in table.columns] == ["higher", "higher", "lower", "lower"]
    assert names == ["ease", "wit", "order", "average rank: order"]
    alpha, kappa = (row_of(table, label) for label in ("Krippendorff's alpha", "Fleiss' kappa"))
    for name, values, level in (("ease", ease, "ordinal"), ("wit", wit, "nominal")):
        flat = values.reshape(2, -1)
        assert float(alpha[name]) == pytest.approx(krippendorff_alpha(flat, level))
        assert float(kappa[name]) == pytest.approx(fleiss_kappa(flat))
    assert kappa["order"] == ""
    assert float(row_of(table, "Seq2Seq")["wit"]) == pytest.approx(2 / 3)
    assert "mean score (ease), share of yes (wit), mean rank (1 is best) (order)" in table.notes[0]


@pytest.mark.parametrize(
    ("scale", "values", "mean", "what"),
    [
        ({"kind": "score", "values": [1, 2, 3]}, [[[3, 1], [2, 1], [3, 2]]], 8 / 3, "mean score"),
        ({"kind": "yes_no"}, [[[1, 0], [1, 0], [0, 0]]], 2 / 3, "share of yes"),
    ],
)
def test_scores_and_shares_are_means_of_what_was_typed_and_the_highest_leads(tmp_path, scale, values, mean, what):
    table = table_of(tmp_path, values, ["seq2seq", "sepacvae"], scale=scale)
    cells = {row.system: row.cells["relevance"] for row in table.rows}
    assert [column.name for column in table.columns] == ["relevance"]
    assert f"Each value: {what} " in table.notes[0]
    assert cells["seq2seq"].mean == pytest.approx(mean)
    assert cells["seq2seq"].lead == "best"
    assert all(cell.published is None for cell in cells.values())  # the paper's are ranks


def test_scores_have_the_p_of_a_paired_t_test_beside_wilcoxons_and_ranks_and_shares_have_none(tmp_path):
    scales = {"wit": {"kind": "yes_no"}, "order": {"kind": "rank"}}
    spec = spec_of({"ease": "?", "wit": "?", "order": "?"}, {"kind": "score", "values": [1, 2, 3, 4]}, scales=scales)
    ease = np.array([[[4, 3], [4, 2], [4, 1]]], float)  # differences 1, 2, 3
    order, wit = np.array([[[1, 2], [2, 1], [1, 2]]], float), np.array([[[1, 0], [1, 1], [1, 0]]], float)
    systems = ["sepacvae", "seq2seq"]
    ratings = Ratings(["r0"], systems, {"ease": ease, "wit": wit, "order": order})
    asked = {"aspects": spec.aspects, "scale": spec.scale, "scales": spec.scales}
    table = made({"small": small_draw(tmp_path, 3, systems, **asked)}, {"small": ratings}, spec=spec)
    row = row_of(table, "Seq2Seq")
    assert float(row["ease t p"]) == pytest.approx(1 - np.sqrt(12 / 14))
    assert float(row["ease p"]) == pytest.approx(2 / 2**3)
    assert row["ease significant"] == ""
    assert row_of(table, "SepaCVAE")["ease t p"] == ""
    assert [name for name in row if name.endswith(" t p")] == ["ease t p"]
    assert any("paired t-test" in note for note in table.notes)
    on_page = [row["cells"]["ease"].get("t") for row in as_json(table)["rows"]]
    assert [p for p in on_page if p is not None] == [pytest.approx(1 - np.sqrt(12 / 14))]
    nobody = row_of(made({}, {}, spec=spec), "Seq2Seq")
    assert nobody["ease t p"] == NOT_COLLECTED
    assert list(nobody) == list(row)


def test_ranks_have_no_paired_t_test(tmp_path):
    table = table_of(tmp_path, [[[1, 2], [1, 2]], [[2, 1], [1, 2]]], ["seq2seq", "sepacvae"])
    assert not [name for name in row_of(table, "Seq2Seq") if name.endswith(" t p")]
    assert not any("paired t-test" in note for note in table.notes)


def test_agreement_stands_below_the_systems_with_the_published_correlation(tmp_path):
    values = [[[1, 2, 3], [3, 2, 1]], [[1, 2, 3], [3, 1, 2]]]
    table = table_of(tmp_path, values, ["human", "seq2seq", "sepacvae"])
    pearson = row_of(table, "Pearson between raters")
    assert float(pearson["relevance"]) == pytest.approx((1 + 0.5) / 2)  # Spearman's of the items: 1 and 0.5
    assert (pearson["relevance n"], pearson["relevance published"]) == ("1", "0.63")
    assert pearson["average rank: relevance"] == ""
    flat = np.array(values, float).reshape(2, -1)
    assert float(row_of(table, "Krippendorff's alpha")["relevance"]) == pytest.approx(
        krippendorff_alpha(flat, "ordinal")
    )


def test_raters_are_counted_and_never_named(tmp_path):
    values = [[[1, 2], [1, 2]], [[2, 1], [NAN, NAN]]]
    shown = markdown(table_of(tmp_path, values, ["seq2seq", "sepacvae"]))
    assert "2 raters, who rated 2, 1 of 2 contexts" in shown
    assert "r0" not in shown


def test_sheets_reach_the_table(tmp_path):
    systems = ("human", "seq2seq", "sepacvae")
    drawn = small_draw(tmp_path, 6, systems)
    place = {"human": 1, "seq2seq": 3, "sepacvae": 2}
    file = save(tmp_path / "sheet.csv", filled(drawn, "anna", lambda i, system, aspect: place[system]))
    table = made({"small": drawn}, read_ratings([file], [drawn]), spec=spec_of(drawn.aspects))
    assert [float(row_of(table, label)["fluency"]) for label in ("Human reference", "Seq2Seq", "SepaCVAE")] == [1, 3, 2]


def test_a_system_that_the_configuration_no_longer_has_is_shown_by_its_name(tmp_path):
    table = table_of(tmp_path, [[[1, 2], [1, 2]]], ["seq2seq", "gone"])
    assert [row.label for row in table.rows][:2] == ["Seq2Seq", "gone"]


def test_ratings_of_other_aspects_or_another_scale_are_refused(tmp_path):
    spec, ratings = collected([[[1, 2]]], ["seq2seq", "sepacvae"])
    drawn = small_draw(tmp_path, 1, ("seq2seq", "sepacvae"))
    with pytest.raises(PipelineError, match=r"asked for relevance \(rank\), fluency \(rank\)") as caught:
        made({"small": drawn}, {"small": ratings}, spec=spec)
    assert caught.value.where
    assert "aspects" in caught.value.remedy
