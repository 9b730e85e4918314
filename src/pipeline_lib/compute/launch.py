"""The start of a training script: one process, or through torchrun one for each GPU of one node or several.

    python -m pipeline_lib.compute.launch --gpu 2 --nodes 1 --threads 2 --device auto train_model.py --seed 1 …

On several nodes it runs within a SLURM allocation, on the first node, and starts torchrun on each through srun.
"""

import argparse
import os
import runpy
import shutil
import socket
import sys

from pipeline_lib.errors import PipelineError
from pipeline_lib.files import store
from pipeline_lib.files.provenance import current_job
from pipeline_lib.stage.cli import report
from pipeline_lib.stage.watch import SCHEDULER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gpu", type=int, required=True, help="GPUs of the whole job, one for each process")
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True, help="of a node")
    parser.add_argument("--device", required=True, help="training.device; cpu: no GPU is taken, and none needed")
    parser.add_argument("script", nargs=argparse.REMAINDER, help="and its arguments")
    wanted = parser.parse_args()
    processes = processes_per_node(wanted.gpu, wanted.nodes)
    if wanted.nodes == processes == 1:
        sys.argv = wanted.script
        runpy.run_path(wanted.script[0], run_name="__main__")
        return
    if (job := current_job()) and store.restored(job):
        return
    os.environ["OMP_NUM_THREADS"] = str(max(1, wanted.threads // processes))
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    if wanted.nodes == 1:
        if wanted.device != "cpu":
            _take_gpus(processes)
        _become([*torchrun, "--standalone", *wanted.script])
    os.environ.pop(SCHEDULER, None)  # elsewhere its number is another process's; who ends srun ends all it started
    _become([*_srun(wanted.nodes, wanted.threads), *torchrun, *_meeting_place(wanted.nodes), *wanted.script])


def processes_per_node(gpu: int, nodes: int) -> int:
    """Return one process for each of the job's ``gpu`` GPUs, or one per node where there are none.

    SLURM counts GPUs over all nodes.

    Raises:
        PipelineError: the nodes do not get as many each.
    """
    if gpu % nodes:
        raise PipelineError(
            f"{gpu} GPUs do not divide among {nodes} nodes",
            where="resources: gpu= and nodes= of the training job",
            expected="as many GPUs on each node",
            remedy=f"ask for {-(-gpu // nodes) * nodes}, or for 0 to compute on CPUs",
        )
    return max(1, gpu // nodes)


def _srun(nodes: int, threads: int) -> list[str]:
    """Return the ``srun`` that starts the job once on each node.

    Every option is given here: the executor leaves a job little more of SLURM's variables than its id.

    Raises:
        PipelineError: there is no SLURM.
    """
    if shutil.which("srun") is None:
        raise PipelineError(
            f"{nodes} nodes are wanted, and there is no srun to reach them",
            where="resources: nodes= of the training job",
            expected="SLURM's srun on the path of the job",
            remedy="ask for one node (`--set-resources train_model:nodes=1`), or run with profiles/slurm",
        )
    each = ["--ntasks-per-node=1", f"--cpus-per-task={threads}"]
    return ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", *each, "--kill-on-bad-exit=1"]


def _meeting_place(nodes: int) -> list[str]:
    """Return the options by which the torchruns of one job find each other: a free port of this, the first node."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    place = f"--rdzv-endpoint={socket.gethostname()}:{port}"
    return [f"--nnodes={nodes}", "--rdzv-backend=c10d", place, f"--rdzv-id={os.environ.get('SLURM_JOB_ID', port)}"]


def _take_gpus(number: int) -> None:
    """Show torchrun the GPUs that are this job's alone; without any, its processes compute on the CPU."""
    import torch  # seconds that a job of one process need not wait for twice

    from pipeline_lib.compute import gpus

    uuids = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    if uuids:
        chosen = gpus.take(uuids, number)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(f"GPU-{uuids[position]}" for position in chosen)


def _become(command: list[str]) -> None:
    os.execvp(command[0], command)  # signals reach torchrun itself, and what was locked stays locked


if __name__ == "__main__":
    report(main)
