"""A workflow killed in the middle of training and started again ends as if nothing had happened."""

import os
import shutil
import signal
import subprocess
import time

PARTS_OF_SEPACVAE = [f"{stage}/embedded/sepacvae" for stage in ("models", "responses", "scores", "items")]
SUMMED_UP = ["scores/validation", "scores/test", "significance", "tables"]


def test_a_run_killed_while_training_and_started_again_gives_the_same_tables(finished, checkout):
    copy = checkout()
    for part in [*PARTS_OF_SEPACVAE, *SUMMED_UP, ".store"]:  # to be made again
        shutil.rmtree(copy.results / part)
    run = subprocess.Popen(
        copy.command(),
        cwd=copy.folder,
        env=copy.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a process group of its own: snakemake and its jobs
    )
    while run.poll() is None and not list(copy.results.glob(".state/*/checkpoint.safetensors")):
        time.sleep(0.001)
    os.killpg(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    model = copy.results / "models/embedded/sepacvae/seed1/model.safetensors"
    assert not model.exists()
    assert list(copy.results.glob(".state/*/checkpoint.safetensors"))

    assert "--unlock" in copy.run().stdout  # a killed snakemake cannot take its lock away, and says how to
    assert copy.run("--unlock").returncode == 0
    done = copy.run()
    assert done.returncode == 0, done.stdout
    assert not list(copy.results.glob(".state/*"))
    assert model.read_bytes() == (finished.results / model.relative_to(copy.results)).read_bytes()
    for table in ("table1.csv", "table2.csv", "table3.csv"):
        assert (copy.results / "tables" / table).read_bytes() == (finished.results / "tables" / table).read_bytes()
