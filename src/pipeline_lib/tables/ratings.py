"""Tables of human judgement, beside what the paper's judges gave.

A response's value in one context is the mean over its raters; means, spreads and tests are over contexts. No computed
metric replaces a rating: where there are none, the table says so.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import RatingTable
from pipeline_lib.config.ratings import Questions, Scale
from pipeline_lib.errors import PipelineError
from pipeline_lib.metrics.base import Better
from pipeline_lib.ratings.agreement import correlation, fleiss_kappa, krippendorff_alpha
from pipeline_lib.ratings.draw import Draw
from pipeline_lib.ratings.filled import Ratings
from pipeline_lib.tables.cells import (
    Cell,
    Column,
    Row,
    Table,
    has_published,
    notes_of_spec,
    of_spec,
    over_seeds,
    printed_as,
)
from pipeline_lib.tables.published import Published, PublishedValue, not_compared
from pipeline_lib.tables.rating_values import over_raters, paired_t, paired_tests, ranks
from pipeline_lib.tables.recorded_scores import APART, notes_apart

NOT_COLLECTED = "not collected"
BLANK = Cell(text=" ")
AVERAGE = "average rank: {}"  # column
AGREEMENT = {
    "Pearson": "Pearson between raters",
    "Spearman": "Spearman between raters",
    "alpha": "Krippendorff's alpha",
}
KAPPA = {"kappa": "Fleiss' kappa"}  # of answers that are values; ranks of several systems depend on one another


def make(
    name: str,
    spec: RatingTable,
    layout: Layout,
    draws: Mapping[str, Draw],
    ratings: Mapping[str, Ratings],
    level: float,
    published: Published,
) -> Table:
    """Make a table of human judgement.

    Args:
        layout: corpora and judged systems in the order of the rows.
        draws: corpus -> key of its sheets, at least for the corpora that have ratings.
        ratings: corpus -> what the raters gave.
        level: adjusted p below which a difference is significant.
    Raises:
        PipelineError: the sheets asked for other aspects, or on another scale, than the table names.
    """
    ranked = [aspect for aspect in spec.aspects if spec.scale_of(aspect).kind == "rank"]
    better = {aspect: _better(spec, aspect) for aspect in spec.aspects}
    better |= {AVERAGE.format(aspect): better[aspect] for aspect in ranked}
    columns = list(better)
    rows = []
    for corpus in layout.corpora:
        if corpus in ratings:
            _check_alike(draws[corpus], spec)
            rows += _collected(draws[corpus], ratings[corpus], layout, spec, level, published)
        else:
            rows += _not_collected(corpus, layout, spec, columns, published)
    scored = [aspect for aspect in spec.aspects if spec.scale_of(aspect).kind == "score"]
    shown = [Column(column, spec.digits, better=better[column], t_test=column in scored) for column in columns]
    notes = [*_notes(rows, draws, ratings, layout, spec, level), *notes_of_spec(spec, layout, rows)]
    return Table(**of_spec(name, spec), columns=shown, rows=rows, notes=notes)


def _better(spec: RatingTable, aspect: str) -> Better:
    return "lower" if spec.scale_of(aspect).kind == "rank" else "higher"


def _collected(
    draw: Draw, given: Ratings, layout: Layout, spec: RatingTable, level: float, published: Published
) -> list[Row]:
    judged = [name for name in layout.systems if name in given.systems]
    judged += [name for name in given.systems if name not in judged]  # of a kept key: no longer in the configuration
    blank = dict.fromkeys([*spec.aspects, *map(AVERAGE.format, spec.aspects)], BLANK)
    cells: dict[str, dict[str, Cell]] = {name: {} for name in judged}
    cells |= {name: dict(blank) for name in _agreements(spec)}
    competing = [name for name in judged if name in layout.systems and not layout.systems[name].baseline]
    competing = [name for name in competing if name not in draw.apart]
    for aspect, values in given.values.items():
        kind = spec.scale_of(aspect).kind
        typed = values[:, :, [given.systems.index(name) for name in judged]]
        tested = ranks(typed, "average") if kind == "rank" else typed
        shown = _with_tests(over_raters(tested), judged, competing, _better(spec, aspect), level, kind == "score")
        if kind == "rank":
            as_printed = over_raters(ranks(typed, "min"))
            for i, name in enumerate(judged):
                cells[name][aspect] = over_seeds(as_printed[:, i].tolist())
                cells[name][AVERAGE.format(aspect)] = shown[name]
        else:
            for name in judged:
                cells[name][aspect] = shown[name]
        for name, cell in _agreement(tested, kind).items():
            cells[name] |= {aspect: cell, AVERAGE.format(aspect): BLANK}
    return _rows(draw.corpus, cells, layout, spec, published, draw.apart)


def _with_tests(
    items: np.ndarray, judged: list[str], competing: list[str], better: Better, level: float, t_test: bool
) -> dict[str, Cell]:
    """Make the cells of one aspect; what does not compete, such as the human reference, is shown and not compared."""
    cells = {name: over_seeds(items[:, i].tolist()) for i, name in enumerate(judged)}
    if len(competing) < 2:
        return cells
    compared = items[:, [judged.index(name) for name in competing]]
    best, changes = paired_tests(compared, better, level)
    if t_test:
        changes = [replace(change, p_t=p) for change, p in zip(changes, paired_t(compared, best), strict=True)]
    others = {name: change for i, (name, change) in enumerate(zip(competing, changes, strict=True)) if i != best}
    cells |= {name: replace(cells[name], change=change) for name, change in others.items()}
    runner_up = min(others.values(), key=lambda change: abs(change.difference))
    leader = competing[best]
    return cells | {leader: replace(cells[leader], lead="models" if runner_up.significant else "best")}


def _agreement(values: np.ndarray, scale: str) -> dict[str, Cell]:
    by_rater = values.reshape(len(values), -1)
    pearson, pearson_pairs = correlation(by_rater, "pearson")
    spearman, spearman_pairs = correlation(by_rater, "spearman")
    alpha = krippendorff_alpha(by_rater, "nominal" if scale == "yes_no" else "ordinal")
    found = {
        "Pearson": Cell(pearson, n=pearson_pairs),
        "Spearman": Cell(spearman, n=spearman_pairs),
        "alpha": Cell(alpha, n=len(values)),
    }
    return found if scale == "rank" else found | {"kappa": Cell(fleiss_kappa(by_rater), n=len(values))}


def _agreements(spec: RatingTable) -> dict[str, str]:
    """Return the rows of agreement and their labels."""
    ranked = all(spec.scale_of(aspect).kind == "rank" for aspect in spec.aspects)
    return AGREEMENT if ranked else AGREEMENT | KAPPA


def _not_collected(
    corpus: str, layout: Layout, spec: RatingTable, columns: list[str], published: Published
) -> list[Row]:
    empty = dict.fromkeys(columns, Cell(text=NOT_COLLECTED))
    agreement = {column: empty[column] if column in spec.aspects else BLANK for column in columns}
    cells = {name: dict(empty) for name in layout.systems} | {name: dict(agreement) for name in _agreements(spec)}
    return _rows(corpus, cells, layout, spec, published, {})


def _rows(
    corpus: str,
    cells: Mapping[str, dict[str, Cell]],
    layout: Layout,
    spec: RatingTable,
    published: Published,
    apart: Mapping[str, str],
) -> list[Row]:
    rows = []
    labels = _agreements(spec)
    for name, own in cells.items():
        of_system = name not in labels
        label = labels.get(name) or (layout.systems[name].label if name in layout.systems else name)
        label += f" {APART[apart[name]][0]}" if name in apart else ""
        for aspect in spec.aspects:
            printed = _published(corpus, name, aspect, layout, spec, published)
            own[aspect] = replace(own[aspect], published=not_compared(printed) if name in apart else printed)
        rows.append(Row(corpus, layout.corpora[corpus], label, own, name if of_system else ""))
    return rows


def _published(
    corpus: str, name: str, aspect: str, layout: Layout, spec: RatingTable, published: Published
) -> PublishedValue | None:
    """Find the value of the paper's judges: published.csv calls a rank `<aspect> rank`, any other by its aspect."""
    if name in _agreements(spec):
        is_compared = any(_published(corpus, one, aspect, layout, spec, published) for one in layout.systems)
        return published.value(spec.number, f"{name} {aspect}", "annotators") if is_compared else None
    if name not in layout.systems:
        return None
    column = f"{aspect} rank" if spec.scale_of(aspect).kind == "rank" else aspect
    return published.beside(layout, corpus, spec.number, column, printed_as(spec, layout, name))


def _check_alike(draw: Draw, spec: RatingTable) -> None:
    asked, wanted = _asked(draw), _asked(spec)
    if asked != wanted:
        raise PipelineError(
            f"{draw.sheet} asked for {_named(asked)}",
            where=f"key of {draw.corpus}",
            expected=f"{_named(wanted)}, as the table in paper.yaml",
            remedy="set `aspects:`, `scale:` and `scales:` of the table to those of the sheet that was rated",
        )


def _asked(questions: Questions) -> dict[str, Scale]:
    return {aspect: questions.scale_of(aspect) for aspect in questions.aspects}


def _named(asked: Mapping[str, Scale]) -> str:
    return ", ".join(f"{aspect} ({_meaning(scale)})" for aspect, scale in asked.items())


def _meaning(scale: Scale) -> str:
    return " ".join([scale.kind, *([f"{scale.values[0]} to {scale.values[-1]}"] if scale.values else [])])


# --- notes ---------------------------------------------------------------------------------------------------------


def _notes(
    rows: list[Row],
    draws: Mapping[str, Draw],
    ratings: Mapping[str, Ratings],
    layout: Layout,
    spec: RatingTable,
    level: float,
) -> list[str]:
    compared = any(map(has_published, rows))
    kinds = {aspect: spec.scale_of(aspect).kind for aspect in spec.aspects}
    meanings = {"rank": "mean rank (1 is best)", "score": "mean score", "yes_no": "share of yes"}
    what = _each(kinds, meanings)
    notes = []
    if ratings:
        notes.append(f"Each value: {what} ± standard deviation over contexts, each the mean over its raters.")
        if "rank" in kinds.values():
            notes.append(
                "Ranks are made anew from the order that a rater gave. First columns: ties share the better place "
                "(1, 2, 2, 4). Average rank: they share the mean place (1, 2.5, 2.5, 4); tests and agreement use it."
            )
        notes.append(
            "Bold: best of the systems. ◇: significantly better than the runner-up; below a value, the difference from "
            "the best, with ◇ where it is significant (Wilcoxon signed-rank test over contexts, Holm within a column, "
            f"level {level:g}). The test is between these trained models: one run of each system was judged, and "
            "another training may reverse it. The human reference is not compared."
        )
        if "score" in kinds.values():
            notes.append(
                "Mean scores are compared by the paired t-test too (two-tailed, over contexts, Holm within a column): "
                "its p is `t p` in the CSV, empty where all differences are equal. No mark goes by it."
            )
        level_of = _each(kinds, {"rank": "ordinal", "score": "ordinal", "yes_no": "nominal"})
        notes.append(f"Between raters: mean over pairs of raters; Krippendorff's alpha is {level_of}.")
    for corpus, given in ratings.items():
        draw, rated = draws[corpus], given.rated()
        counts = ", ".join(str(count) for count in sorted(rated, reverse=True))
        notes.append(
            f"{layout.corpora[corpus]}: {len(rated)} raters, who rated {counts} of {len(draw.items)} contexts of "
            f"{draw.split}; responses of seed {draw.run}; sheet `{draw.sheet}`."
        )
    notes += notes_apart(row.label for row in rows)
    if compared:
        notes.append("published: the paper's judges, on its own responses and contexts.")
    if len(ratings) < len(layout.corpora):
        notes.append(f"{NOT_COLLECTED}: no filled rating sheet; docs/human-ratings.md says how to collect them.")
    return notes


def _each(kinds: Mapping[str, str], words: Mapping[str, str]) -> str:
    """Say one word of all aspects, or a word of each."""
    said = {aspect: words[kind] for aspect, kind in kinds.items()}
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return ", ".join(f"{word} ({aspect})" for aspect, word in said.items())
