"""The profile for Kubernetes: its jobs in a dry run, and its storage with every file in an S3 server."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_workflow import ClusterWorkflow

from chaos.served import serving

PROFILE = "profiles/kubernetes"
BUCKET = "pipeline-lib"  # as in the profile


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of an empty S3 server with the profile's bucket."""
    server = pytest.importorskip("moto.server", reason="make cluster installs it")
    boto3 = pytest.importorskip("boto3", reason="make cluster installs it")
    running = server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    client(boto3, address).create_bucket(Bucket=BUCKET)
    yield address
    running.stop()


def client(boto3, address: str):
    return boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )


def run(
    workflow: ClusterWorkflow, s3: str, *options: str, target: str = ClusterWorkflow.TABLE
) -> subprocess.CompletedProcess[str]:
    keys = {"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "key", "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "secret"}
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", PROFILE, "--storage-s3-endpoint-url", s3]
    return subprocess.run(
        [*command, *options, "--", target],
        cwd=workflow.folder,
        env=workflow.environment() | keys | {"AWS_DEFAULT_REGION": "us-east-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
    )


def test_a_dry_run_plans_every_job_with_its_files_in_the_bucket(s3: str, tmp_path: Path) -> None:
    planned = run(ClusterWorkflow.create(tmp_path / "dry"), s3, "--dry-run")
    assert planned.returncode == 0, planned.stdout
    assert f"output: s3://{BUCKET}/results/tables/table2.csv (send to storage)" in planned.stdout
    wanted = re.findall(r"^ *resources: .*\bgpu=1,.*\bgpu_manufacturer=nvidia", planned.stdout, re.MULTILINE)
    assert len(wanted) >= 6  # three systems are trained and respond
    assert "scale=0" in planned.stdout


def test_one_pod_fetches_a_corpus_and_reads_it_so_that_the_bucket_needs_the_manifest_alone(
    s3: str, tmp_path: Path
) -> None:
    workflow, target = ClusterWorkflow.create(tmp_path / "fetched"), "results/dialogues/served/dialogues.parquet"
    with serving() as server:
        file = {"name": "talk.csv", "urls": [server.url], "sha256": hashlib.sha256(server.content).hexdigest()}
        source = {"reader": "table", "label": "Served", "licence": "none", "bundles": [[file]]}
        workflow.change("papers/sepacvae/small.yaml", {"corpora": ["served"], "sources": {"served": source}})

        planned = run(workflow, s3, "--dry-run", target=target)
        [group] = re.findall(r"Group job fetch .*\n((?:\n| {4}.*\n)+)", planned.stdout)
        assert re.findall(r"^ {4}rule (\w+):$", group, re.MULTILINE) == ["download_corpus", "extract_dialogues"]

        done = run(workflow, s3, "--executor", "local", "--cores", "1", target=target)  # a disk as that of the pod
    assert done.returncode == 0, done.stdout
    import boto3

    stored = {entry["Key"] for entry in client(boto3, s3).list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert {target, "results/raw/served/manifest.json"} <= stored
    assert "results/raw/served/talk.csv" not in stored


def test_table2_made_with_every_file_in_a_bucket_equals_the_local_one(
    s3: str, finished: ClusterWorkflow, tmp_path: Path
) -> None:
    import boto3

    workflow = ClusterWorkflow.create(tmp_path / "bucket")
    done = run(workflow, s3, "--executor", "local", "--cores", "2")
    assert done.returncode == 0, done.stdout
    assert not (workflow.folder / workflow.TABLE).exists()
    stored = client(boto3, s3).get_object(Bucket=BUCKET, Key=workflow.TABLE)["Body"].read()
    assert stored == (finished.folder / finished.TABLE).read_bytes()
