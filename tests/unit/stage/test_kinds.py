"""Kinds by name: what the configuration names is a module, and the stage's fingerprint takes in that very module."""

from pathlib import Path
from typing import get_args

import pytest

from pipeline_lib.config.papers import AnyTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.metrics.named import metric_class, metric_names
from pipeline_lib.stage import fingerprint
from pipeline_lib.stage.kinds import kinds, load, module_of

TABLES = {
    "counts": "count",
    "scores": "score",
    "texts": "text",
    "responses": "response",
    "transfer": "transfer",
    "keyword_choice": "keyword_choice",
    "negatives": "negative",
    "ratings": "rating",
    "settings": "setting",
    "measures": "measure",
    "imputations": "imputation",
    "decoded": "decoded",
    "costs": "cost",
}
SCRIPTS = Path(__file__).parents[3] / "workflow/scripts"
# package, what its kinds offer, a stage that loads them, the least that there are
PACKAGES = [
    ("pipeline_lib.corpora", "read", "extract_dialogues", {"synthetic", "dailydialog", "table"}),
    ("pipeline_lib.tables", "make", "score_responses", set(TABLES)),
]
KINDS = [(package, offers, stage, name) for package, offers, stage, _ in PACKAGES for name in kinds(package, offers)]


@pytest.mark.parametrize(("package", "offers", "stage", "least"), PACKAGES)
def test_the_kinds_of_a_package_are_found_without_a_list(package, offers, stage, least):
    assert least <= set(kinds(package, offers))


@pytest.mark.parametrize(("package", "offers", "stage", "name"), KINDS)
def test_every_kind_loads_and_is_part_of_the_digest_of_its_stage_alone(package, offers, stage, name, monkeypatch):
    module = load(package, name, offers)
    assert callable(getattr(module, offers))
    assert module.__doc__
    assert module.__name__ == module_of(package, name)
    script = SCRIPTS / f"{stage}.py"
    with_it, without = fingerprint.stage_fingerprint(script, [module.__name__]), fingerprint.stage_fingerprint(script)
    assert with_it != without  # the stage imports no kind by itself, so another kind's edit does not rerun it


def test_every_kind_of_table_has_a_declaration_a_module_and_a_script():
    declared = {get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(AnyTable)[0])}
    assert declared == set(kinds("pipeline_lib.tables", "make")) == set(TABLES)
    for kind, word in TABLES.items():
        script = (SCRIPTS / f"make_{word}_table.py").read_text(encoding="utf-8")
        assert f"from {module_of('pipeline_lib.tables', kind)} import" in script


def test_a_metric_is_part_of_the_digest_of_the_runs_that_name_it_alone():
    script = SCRIPTS / "score_responses.py"
    without = fingerprint.stage_fingerprint(script)
    digests = {}
    for name in metric_names():
        module = module_of("pipeline_lib.metrics", name)
        assert metric_class(name).__module__ == module
        digests[module] = fingerprint.stage_fingerprint(script, [module])
    assert without not in digests.values()
    assert len(set(digests.values())) == len(digests)


@pytest.mark.parametrize(
    ("name", "module"), [("synthetic", "synthetic"), ("Synthetic-2", "synthetic"), ("table|of|old", "table")]
)
def test_a_name_may_end_with_a_variant(name, module):
    assert module_of("pipeline_lib.corpora", name) == f"pipeline_lib.corpora.{module}"


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(PipelineError, match="no module 'dailydialogue'") as caught:
        module_of("pipeline_lib.corpora", "dailydialogue")
    assert "'dailydialog'" in caught.value.expected
    assert caught.value.remedy
    with pytest.raises(PipelineError, match="no module 'download'") as caught:
        load("pipeline_lib.corpora", "download", "read")  # a module of the package, but no reader
    assert "'download'" not in caught.value.expected


@pytest.mark.parametrize("name", ["", "..", "../errors", "__init__", "-", "字"])
def test_a_name_never_leads_out_of_its_package(name):
    with pytest.raises(PipelineError):
        module_of("pipeline_lib.corpora", name)
