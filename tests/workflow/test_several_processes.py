"""A training job over several GPUs, which on this machine are processes on the CPU, asked for as a user would."""

import json
import shutil

import pytest

SEVERAL = ("--set-resources", "train_model:gpu=2")


def test_another_number_of_gpus_retrains_nothing(finished):
    assert "Nothing to be done" in finished.run(*SEVERAL).stdout


def test_two_processes_train_the_model_that_one_trained(finished, checkout):
    copy = checkout()
    model = "results/models/embedded/sepacvae/seed1"
    for made in (model, "results/.store"):
        shutil.rmtree(copy.folder / made)
    done = copy.run(*SEVERAL, "--set-threads", "train_model=2", "--", f"{model}/model.safetensors")
    assert done.returncode == 0, done.stdout

    def history(folder):
        lines = (folder / model / "history.jsonl").read_text(encoding="utf-8").splitlines()
        return [{k: v for k, v in json.loads(line).items() if k not in ("kind", "tokens_per_s")} for line in lines]

    assert json.loads((copy.folder / model / "summary.json").read_text(encoding="utf-8"))["processes"] == 2
    for ours, theirs in zip(history(copy.folder), history(finished.folder), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5)
