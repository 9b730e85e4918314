"""The profiles of clusters agree with the rules, with each other and with the Makefile."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
CLUSTERS = ("slurm", "cluster-generic", "kubernetes")
RULES = {
    name: body
    for file in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for name, body in re.findall(r"^rule (\w+):\n((?:(?: +.*)?\n)*)", file.read_text(), re.MULTILINE)
}
ON_GPU = {name for name, body in RULES.items() if re.search(r"^\s+gpu=", body, re.MULTILINE)}


def profile(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_profile_keeps_what_the_default_one_sets_for_safety(name):
    # a workflow profile that is named takes the place of profiles/default
    for key in ("rerun-incomplete", "show-failed-logs", "rerun-triggers"):
        assert profile(name)[key] == profile("default")[key]


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_profile_speaks_of_rules_that_exist(name):
    assert set(profile(name).get("set-resources", {})) <= set(RULES)


def test_every_rule_that_asks_for_a_gpu_is_sent_where_gpus_are():
    assert "train_model" in ON_GPU
    slurm, kubernetes = profile("slurm")["set-resources"], profile("kubernetes")["set-resources"]
    assert {name for name, of_rule in slurm.items() if "slurm_partition" in of_rule} == ON_GPU
    assert {name for name, of_rule in kubernetes.items() if "gpu_manufacturer" in of_rule} == ON_GPU


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_job_that_failed_is_tried_again_with_more_memory(name):
    assert profile(name)["retries"] >= 1
    assert "attempt" in profile(name)["default-resources"]["mem_mb"]
    for rule, body in RULES.items():
        if "mem_mb" in body:
            assert re.search(r"mem_mb=attempts_of\(", body), rule


def test_the_container_has_the_torch_of_the_makefile():
    [of_container] = re.findall(r"^ARG TORCH_VERSION=(.+)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    [of_makefile] = re.findall(r"^TORCH_VERSION := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert of_container == of_makefile


def test_all_lock_files_hold_the_same_versions_of_what_the_results_depend_on():
    def pins(name: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for package, version in re.findall(r"^([\w.-]+)==([\w.+-]+)", (ROOT / name).read_text(), re.MULTILINE):
            found.setdefault(package, set()).add(version)
        return found

    workflow = pins("requirements.lock")
    # botocore (S3) holds python-dateutil back, which only reads and writes dates
    for lock, allowed in (("cluster", {"python-dateutil"}), ("pretrained", set())):
        other = pins(f"requirements-{lock}.lock")
        assert {package for package in workflow if workflow[package] != other.get(package)} <= allowed
