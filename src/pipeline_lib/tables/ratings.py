"""Table 4: what human judges made of the systems, beside what the paper's judges did.

A response's figure in one context is the mean over its raters; means, spreads and tests are over contexts. No computed
metric ever stands in for a rating: where there are none, the table says so.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.ratings import Questions
from pipeline_lib.errors import PipelineError
from pipeline_lib.ratings.agreement import correlation, krippendorff_alpha
from pipeline_lib.ratings.draw import Draw
from pipeline_lib.ratings.filled import Ratings
from pipeline_lib.significance.paired import holm
from pipeline_lib.tables.cells import PAPER, Cell, Change, Row, Table, over_seeds
from pipeline_lib.tables.published import PublishedValue, published

NOT_COLLECTED = "not collected"
BLANK = Cell(text=" ")
AVERAGE = "average rank: {}"  # column
AGREEMENT = {
    "Pearson": "Pearson between raters",
    "Spearman": "Spearman between raters",
    "alpha": "Krippendorff's alpha",
}
_NUMBER = "4"


def human_table(
    draws: Mapping[str, Draw], ratings: Mapping[str, Ratings], layout: Layout, settings: Questions, level: float
) -> Table:
    """Make Table 4.

    Args:
        draws: corpus -> key of its sheets, at least for the corpora that have ratings.
        ratings: corpus -> what the raters gave.
        layout: corpora and judged systems in the order of the rows.
        level: adjusted p below which a difference is significant.
    Raises:
        PipelineError: the sheets asked for other aspects, or on another scale, than the configuration names.
    """
    ranked = settings.scale.kind == "rank"
    columns = [*settings.aspects, *(AVERAGE.format(aspect) for aspect in settings.aspects if ranked)]
    rows = []
    for corpus in layout.corpora:
        if corpus in ratings:
            _check_alike(draws[corpus], settings)
            rows += _collected(corpus, ratings[corpus], layout, settings, level)
        else:
            rows += _not_collected(corpus, layout, settings, columns)
    what = {"rank": "mean rank, 1 is best", "score": "mean score", "yes_no": "share of yes"}[settings.scale.kind]
    notes = _notes(rows, draws, ratings, layout, settings, level)
    return Table("table4", f"Human judgement: {what}", columns, [], rows, notes)


def csv_of(table: Table) -> str:
    """One row for each row of the table; what nobody has collected says so in every one of our figures."""
    records: list[dict[str, Any]] = []
    for row in table.rows:
        record: dict[str, Any] = {"corpus": row.corpus, "system": row.system, "label": row.label}
        for column in table.columns:
            record |= {f"{column}{suffix}": value for suffix, value in _in_long_form(row.cells[column]).items()}
        records.append(record)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _in_long_form(cell: Cell) -> dict[str, Any]:
    """Suffix of the column -> value, as in `tables.long_form`, then the paired test with the best system."""
    change = cell.change
    ours: dict[str, Any] = {"": cell.mean, " sd": cell.sd, " n": cell.n or None, " low": cell.low, " high": cell.high}
    ours[" difference"] = change.difference if change else cell.difference
    ours[" p"] = change.p_adjusted if change else None
    if cell.text == NOT_COLLECTED:
        ours = dict.fromkeys(ours, NOT_COLLECTED)
    marks = {" lead": cell.lead, " significant": "true" if change and change.significant else ""}
    return ours | {" published": cell.published.value if cell.published else None} | marks


# --- figures -------------------------------------------------------------------------------------------------------


def ranks(values: np.ndarray, ties: Literal["average", "min"]) -> np.ndarray:
    """Places within each item, 1 for the smallest of the last axis; an item with NaN is NaN throughout.

    Raters mark ties in several ways (1 2 2 3, 1 2 2 4, 2 3 3 5); only the order that they meant counts.

    Args:
        values: (..., systems) float64.
        ties: average: 1, 2.5, 2.5, 4, so that places always have the same sum; min: 1, 2, 2, 4.
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, method=ties, axis=-1, nan_policy="propagate"), dtype=np.float64)


def over_raters(values: np.ndarray) -> np.ndarray:
    """(raters, items, systems) to (rated items, systems): the mean over the raters of an item."""
    rated = ~np.isnan(values).all(axis=(0, 2))
    return np.asarray(np.nanmean(values[:, rated], axis=0))


def paired_tests(items: np.ndarray, better: Literal["lower", "higher"], level: float) -> tuple[int, list[Change]]:
    """The best system against every other: Wilcoxon's signed-rank test over items, Holm's correction.

    Args:
        items: (items, systems) float64, two systems at the least.
    Returns:
        column of the best system; for each system its distance from the best (that of the best itself is 0, untested).
    """
    from scipy.stats import wilcoxon

    means = items.mean(axis=0)
    best = int(np.argmin(means) if better == "lower" else np.argmax(means))
    others = [i for i in range(len(means)) if i != best]
    # the test is undefined where every item is tied
    p = [wilcoxon(items[:, i], items[:, best]).pvalue if (items[:, i] != items[:, best]).any() else 1.0 for i in others]
    adjusted = dict(zip(others, holm(np.array(p)), strict=True))
    changes = [Change(0.0)] * len(means)
    for i in others:
        changes[i] = Change(float(means[i] - means[best]), float(adjusted[i]), bool(adjusted[i] < level))
    return best, changes


# --- rows ----------------------------------------------------------------------------------------------------------


def _collected(corpus: str, given: Ratings, layout: Layout, settings: Questions, level: float) -> list[Row]:
    judged = [name for name in layout.systems if name in given.systems]
    judged += [name for name in given.systems if name not in judged]  # of a kept key: no longer in the configuration
    cells: dict[str, dict[str, Cell]] = {name: {} for name in [*judged, *AGREEMENT]}
    ranked = settings.scale.kind == "rank"
    for aspect, values in given.values.items():
        typed = values[:, :, [given.systems.index(name) for name in judged]]
        tested = ranks(typed, "average") if ranked else typed
        shown = _with_tests(over_raters(tested), judged, layout, "lower" if ranked else "higher", level)
        if ranked:
            as_printed = over_raters(ranks(typed, "min"))
            for i, name in enumerate(judged):
                cells[name][aspect] = over_seeds(as_printed[:, i].tolist())
                cells[name][AVERAGE.format(aspect)] = shown[name]
        else:
            for name in judged:
                cells[name][aspect] = shown[name]
        for name, cell in _agreement(tested, settings.scale.kind).items():
            cells[name] |= {aspect: cell, AVERAGE.format(aspect): BLANK}
    return _rows(corpus, cells, layout, settings)


def _with_tests(
    items: np.ndarray, judged: list[str], layout: Layout, better: Literal["lower", "higher"], level: float
) -> dict[str, Cell]:
    """Cells of one aspect; baselines, such as the human reference, are shown and compete with nobody."""
    cells = {name: over_seeds(items[:, i].tolist()) for i, name in enumerate(judged)}
    competing = [n for n in judged if n in layout.systems and not layout.systems[n].baseline]
    if len(competing) < 2:
        return cells
    best, changes = paired_tests(items[:, [judged.index(name) for name in competing]], better, level)
    others = {name: change for i, (name, change) in enumerate(zip(competing, changes, strict=True)) if i != best}
    cells |= {name: replace(cells[name], change=change) for name, change in others.items()}
    runner_up = min(others.values(), key=lambda change: abs(change.difference))
    leader = competing[best]
    return cells | {leader: replace(cells[leader], lead="real" if runner_up.significant else "best")}


def _agreement(values: np.ndarray, scale: str) -> dict[str, Cell]:
    by_rater = values.reshape(len(values), -1)
    pearson, pearson_pairs = correlation(by_rater, "pearson")
    spearman, spearman_pairs = correlation(by_rater, "spearman")
    alpha = krippendorff_alpha(by_rater, "nominal" if scale == "yes_no" else "ordinal")
    return {
        "Pearson": Cell(pearson, n=pearson_pairs),
        "Spearman": Cell(spearman, n=spearman_pairs),
        "alpha": Cell(alpha, n=len(values)),
    }


def _not_collected(corpus: str, layout: Layout, settings: Questions, columns: list[str]) -> list[Row]:
    empty = dict.fromkeys(columns, Cell(text=NOT_COLLECTED))
    agreement = {column: empty[column] if column in settings.aspects else BLANK for column in columns}
    cells = {name: dict(empty) for name in layout.systems} | {name: dict(agreement) for name in AGREEMENT}
    return _rows(corpus, cells, layout, settings)


def _rows(corpus: str, cells: Mapping[str, dict[str, Cell]], layout: Layout, settings: Questions) -> list[Row]:
    rows = []
    for name, own in cells.items():
        of_system = name not in AGREEMENT
        label = AGREEMENT.get(name) or (layout.systems[name].label if name in layout.systems else name)
        for aspect in settings.aspects:
            own[aspect] = replace(own[aspect], published=_published(corpus, name, aspect, layout, settings))
        rows.append(Row(corpus, layout.corpora[corpus], label, own, name if of_system else ""))
    return rows


def _published(corpus: str, name: str, aspect: str, layout: Layout, settings: Questions) -> PublishedValue | None:
    if settings.scale.kind != "rank":
        return None  # the paper has ranks
    label = layout.corpora[corpus]
    if name in AGREEMENT:
        compared = any(_published(corpus, system, aspect, layout, settings) for system in layout.systems)
        return published(PAPER, _NUMBER, "", "test", "annotators", f"{name} {aspect}") if compared else None
    system = layout.systems.get(name)
    if system is None:
        return None
    as_printed = "Ground-truth" if system.baseline == "human" else system.label
    return published(PAPER, _NUMBER, label, "test", as_printed, f"{aspect} rank")


def _check_alike(draw: Draw, settings: Questions) -> None:
    if draw.aspects.keys() != settings.aspects.keys() or draw.scale != settings.scale:
        raise PipelineError(
            f"{draw.sheet} asked for {', '.join(draw.aspects)} ({draw.scale.kind})",
            where=f"key of {draw.corpus}",
            expected=f"{', '.join(settings.aspects)} ({settings.scale.kind}), as the table in paper.yaml",
            remedy="set `aspects:` and `scale:` of the table to those of the sheet that was rated",
        )


# --- notes ---------------------------------------------------------------------------------------------------------


def _notes(
    rows: list[Row],
    draws: Mapping[str, Draw],
    ratings: Mapping[str, Ratings],
    layout: Layout,
    settings: Questions,
    level: float,
) -> list[str]:
    compared = any(cell.published for row in rows for cell in row.cells.values())
    notes = []
    if ratings:
        notes.append("Each figure: mean ± standard deviation over contexts, each the mean over its raters.")
        if settings.scale.kind == "rank":
            notes.append(
                "Ranks are made anew from the order that a rater gave. First columns: ties share the better place "
                "(1, 2, 2, 4). Average rank: they share the mean place (1, 2.5, 2.5, 4); tests and agreement are of it."
            )
        notes.append(
            "Bold: best of the systems; † its lead is real. difference: from the best, † where it is significant: "
            f"Wilcoxon signed-rank test over contexts, Holm within a column, level {level:g}. The human reference "
            "competes in no column."
        )
        level_of = "nominal" if settings.scale.kind == "yes_no" else "ordinal"
        notes.append(f"Between raters: mean over pairs of raters; Krippendorff's alpha is {level_of}.")
    for corpus, given in ratings.items():
        draw, rated = draws[corpus], given.rated()
        counts = ", ".join(str(count) for count in sorted(rated, reverse=True))
        notes.append(
            f"{layout.corpora[corpus]}: {len(rated)} raters, who rated {counts} of {len(draw.items)} contexts of "
            f"{draw.split}; responses of seed {draw.run}; sheet `{draw.sheet}`."
        )
    if compared:
        notes.append(
            "published: the paper's judges, on its own responses and contexts; its correlation is over both corpora. "
            "Its ranks of a context add up to less than average ranks would, so ties share the better place there too."
        )
    if len(ratings) < len(layout.corpora):
        notes.append(f"{NOT_COLLECTED}: no filled rating sheet; docs/human-ratings.md says how to collect them.")
    return notes
