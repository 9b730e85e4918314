"""Stages that train nothing start without torch."""

import subprocess
import sys

import pytest
from tiny_workflow import ROOT

SCRIPTS = ROOT / "workflow/scripts"
WITH_TORCH = {"train_model", "generate_responses", "analyse_system"}
WITHOUT_TORCH = sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem not in WITH_TORCH)

PROBE = """
import runpy, sys
sys.argv = [sys.argv[1], "--help"]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as stop:
    assert not stop.code, stop.code
print(sorted({"torch", "snakemake"} & set(sys.modules)))
"""


@pytest.mark.parametrize("script", WITHOUT_TORCH)
def test_the_stage_loads_neither_torch_nor_snakemake(script):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(SCRIPTS / f"{script}.py")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_plan_checks_the_options_of_every_analysis_figure_and_model_without_torch():
    check = """
import sys
from pathlib import Path
from pipeline_lib.config.loading import layers_of_run, load
from pipeline_lib.runs.checks import check_run
for paper in ("sepacvae", "sentence_vae"):
    layers = layers_of_run(Path(sys.argv[1]), {"paper": paper, "preset": "small"})
    check_run(load(layers, Path(sys.argv[1], "papers")), layers)
print(sorted({"torch", "matplotlib", "sklearn", "scipy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", check, str(ROOT)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
