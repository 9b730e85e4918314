"""Pages that list what there is list all of it."""

import re
from pathlib import Path

import pytest

from pipeline_lib.metrics.named import metric_names

ROOT = Path(__file__).parents[2]


def test_every_metric_is_explained():
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    names, explained = (  # the page may say distinct-n of distinct-1 and distinct-2
        re.sub(r"(?<=[a-zA-Z]-)\d", "n", text) for text in (" ".join(metric_names()), page)
    )
    assert [name for name in names.split() if not re.search(rf"{re.escape(name)}(?![\w-])", explained)] == []


@pytest.mark.parametrize("page", ["docs/architecture.md", "results/README.md"])
def test_every_rule_is_named_with_its_outputs(page):
    named = (ROOT / page).read_text(encoding="utf-8")
    rules = [
        rule
        for file in sorted((ROOT / "workflow/rules").glob("*.smk"))
        for rule in re.findall(r"^rule (\w+):", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(rules) > 30
    assert [rule for rule in rules if rule not in named and not re.match(r"make_\w+_table|plot_", rule)] == []
