"""Kinds by name: what the configuration names is a module, and the stage's fingerprint takes in that very module."""

from pathlib import Path

import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.stage import fingerprint
from pipeline_lib.stage.kinds import kinds, load, module_of

SCRIPTS = Path(__file__).parents[3] / "workflow/scripts"
# package, what its kinds offer, a stage that loads them, the least that there are
PACKAGES = [("pipeline_lib.corpora", "read", "extract_dialogues", {"synthetic", "dailydialog", "table"})]
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
