"""The profile for Kubernetes: its jobs in a dry run, and its storage with every file in an S3 server."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_workflow import ClusterWorkflow

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


def run(workflow: ClusterWorkflow, s3: str, *options: str) -> subprocess.CompletedProcess[str]:
    keys = {"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "key", "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "secret"}
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", PROFILE, "--storage-s3-endpoint-url", s3]
    return subprocess.run(
        [*command, *options, "--", workflow.TABLE],
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
