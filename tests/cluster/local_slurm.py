"""A real SLURM on this machine's loopback: munged, MariaDB, slurmdbd, slurmctld and a slurmd per node.

Everything lies in one folder and ends with the context. For a look around by hand,
`python tests/cluster/local_slurm.py` starts one, prints how to reach it, and stops it at Ctrl-C.
"""

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch", "srun", "sacct")
PACKAGES = "slurm-wlm slurmdbd munge mariadb-server"  # Debian's and Ubuntu's names
ACCOUNT = "laboratory"
NODES = ("node1", "node2", "node3")
CPUS, MEGABYTES, GPUS = 8, 64_000, 2  # what each node claims to have: SLURM counts, nothing is enforced but memory

_SLURM_CONF = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={slurmctld}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
MailProg=/bin/true
MpiDefault=none

# no control groups: they need a kernel and rights that a container or a sandbox lacks
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# memory: resident sizes are summed every second, and a job above its request is killed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill

SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_min_interval=100000,bf_interval=1,batch_sched_delay=0
ReturnToService=2
KillWait=5
CompleteWait=0

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={slurmdbd}
AccountingStoragePass={folder}/munge/socket
AccountingStorageEnforce=associations
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment

{nodes}
PartitionName=batch Nodes=ALL Default=YES MaxTime=2-0 PriorityTier=1 State=UP
PartitionName=gpu Nodes=ALL MaxTime=2-0 PriorityTier=1 State=UP
PartitionName=urgent Nodes=ALL MaxTime=1-0 PriorityTier=10 PreemptMode=OFF State=UP
"""

_SLURMDBD_CONF = """
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={slurmdbd}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mariadb}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_accounting
"""


def missing() -> list[str]:
    """Programs that a SLURM needs and this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=_search_path()) is None]


class LocalSlurm:
    """One cluster of three nodes; use as a context manager.

    Args:
        folder: an empty folder for sockets, state and logs; its path must be short, as a socket's path has 107
            characters at most.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"SLURM_CONF": f"{folder}/slurm.conf", "PATH": f"{folder}/bin{os.pathsep}{_search_path()}"}
        self.user = getpass.getuser()
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "LocalSlurm":
        try:
            self._configure()
            self._start_munge()
            self._start_database()
            self._start("slurmdbd", "-D")
            self._wait("slurmdbd", lambda: self._succeeds("sacctmgr", "--noheader", "show", "cluster"))
            self._make_account()
            self._start("slurmctld", "-D", "-c")
            apart = _processes_apart()
            for node in NODES:
                self._start(*apart, "slurmd", "-D", "-N", node, log=node)
            self._wait(
                "the nodes", lambda: self.ask("sinfo", "-hNo", "%N %t", "-p", "batch").count(" idle") == len(NODES)
            )
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ask(self, *command: str) -> str:
        """What a SLURM command prints.

        Raises:
            subprocess.CalledProcessError: it failed; the note says why.
        """
        try:
            return subprocess.run(
                command, env=os.environ | self.environment, capture_output=True, text=True, check=True, timeout=60
            ).stdout
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    def jobs(self, state: str) -> dict[str, str]:
        """Comment (``rule_train_model_wildcards_…``) -> id of the jobs that are in ``state``."""
        lines = self.ask("squeue", "--noheader", "--states", state, "--format", "%A %k").splitlines()
        return {comment: number for number, comment in (line.split(maxsplit=1) for line in lines)}

    def history(self) -> list[dict[str, str]]:
        """Every job that there was, one entry per start: id, state, node, comment, requested memory."""
        fields = ["JobIDRaw", "State", "NodeList", "Comment", "ReqMem", "Partition", "Account", "ReqTRES"]
        lines = self.ask(
            "sacct",
            "-X",
            "--noheader",
            "--parsable2",
            "--duplicates",
            "--starttime=now-1day",
            "--format",
            ",".join(fields),
        ).splitlines()
        return [dict(zip(fields, line.split("|"), strict=True)) for line in lines]

    def tidy(self) -> None:
        """Empty the queue and take all nodes back into service."""
        self.ask("scancel", "--user=" + self.user)
        for node in set(self.ask("sinfo", "--noheader", "--Node", "--states=down,drain", "--format=%N").split()):
            self.ask("scontrol", "update", f"nodename={node}", "state=resume")

    def stop(self) -> None:
        """End every process of this cluster, jobs included."""
        for daemon in reversed(self._daemons):
            if daemon.poll() is None:
                os.killpg(
                    daemon.pid, signal.SIGTERM
                )  # each leads a group; a node's leader, unshare, would not pass it on
        for daemon in reversed(self._daemons):
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()
        # jobs and their keepers outlive the daemons; all carry this cluster's configuration in their environment
        for process in self._left_over():
            with suppress(ProcessLookupError):  # it ended by itself
                os.kill(process, signal.SIGKILL)

    def _left_over(self) -> list[int]:
        mark = f"SLURM_CONF={self.folder}/slurm.conf".encode()
        found = []
        for environment in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in environment.read_bytes().split(b"\0"):
                    found.append(int(environment.parent.name))
            except OSError:  # ended meanwhile, or another user's
                continue
        return [process for process in found if process != os.getpid()]

    def _configure(self) -> None:
        self.folder.chmod(0o755)  # munge wants its socket within everybody's reach
        for name in ("bin", "state", "munge", "mariadb", "logs", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True, mode=0o755)
        ports = _free_ports(3 + len(NODES))
        self._password = secrets.token_hex(16)
        known = {
            "folder": self.folder,
            "host": socket.gethostname(),
            "user": self.user,
            "password": self._password,
            "slurmctld": ports[0],
            "slurmdbd": ports[1],
            "mariadb": ports[2],
            "nodes": "\n".join(
                f"NodeName={node} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} "
                f"RealMemory={MEGABYTES} Gres=gpu:{GPUS} State=UNKNOWN"
                for node, port in zip(NODES, ports[3:], strict=True)
            ),
        }
        self._database_port = ports[2]
        (self.folder / "slurm.conf").write_text(_SLURM_CONF.format_map(known))
        for number in range(GPUS):
            (self.folder / f"gpu{number}").touch()  # SLURM wants a file per GPU, and asks no more of it
        (self.folder / "gres.conf").write_text(f"AutoDetect=off\nName=gpu File={self.folder}/gpu[0-{GPUS - 1}]\n")
        # within a job Snakemake's plugin clears SLURM_CONF, and srun would look for it where clusters have it, in /etc
        step = self.folder / "bin/srun"
        real = shutil.which("srun", path=_search_path())
        step.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {real} "$@"\n')
        step.chmod(0o755)
        secret = self.folder / "slurmdbd.conf"
        secret.touch(mode=0o600)  # slurmdbd refuses to start where others can read it
        secret.write_text(_SLURMDBD_CONF.format_map(known))

    def _start_munge(self) -> None:
        munge = self.folder / "munge"
        key = munge / "key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in names.items()]
        self._start("munged", "--foreground", "--force", *options)
        self._wait("munged", (munge / "socket").exists)

    def _start_database(self) -> None:
        data = self.folder / "mariadb"
        user = f"--user={self.user}"
        with open(self.folder / "logs/mariadb-install-db", "wb") as log:
            command = ["mariadb-install-db", "--no-defaults", user, f"--datadir={data}/data", "--skip-test-db"]
            subprocess.run(command, env=os.environ | self.environment, stdout=log, stderr=log, check=True)
        rights = data / "rights.sql"
        rights.touch(mode=0o600)
        rights.write_text(
            f"CREATE USER slurm@'127.0.0.1' IDENTIFIED BY '{self._password}';\n"
            "CREATE DATABASE slurm_accounting;\n"
            "GRANT ALL ON slurm_accounting.* TO slurm@'127.0.0.1';\n"
        )
        self._start(
            "mariadbd",
            "--no-defaults",
            user,
            f"--datadir={data}/data",
            f"--socket={data}/socket",
            f"--pid-file={data}/pid",
            f"--init-file={rights}",
            "--bind-address=127.0.0.1",
            f"--port={self._database_port}",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
        )
        self._wait("MariaDB", lambda: _listens(self._database_port))

    def _make_account(self) -> None:
        for what in (
            ["cluster", "loopback"],
            ["account", ACCOUNT, "Description=tests", "Organization=tests"],
            ["user", self.user, f"Account={ACCOUNT}"],
        ):
            self.ask("sacctmgr", "--immediate", "add", *what)

    def _start(self, program: str, *options: str, log: str = "") -> None:
        with open(self.folder / "logs" / (log or program), "wb") as file:
            self._daemons.append(
                subprocess.Popen(
                    [program, *options],
                    env=os.environ | self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    cwd=self.folder,
                    start_new_session=True,  # Ctrl-C is for the one that started it, who then stops all in order
                )
            )

    def _succeeds(self, *command: str) -> bool:
        try:
            self.ask(*command)
        except subprocess.CalledProcessError:
            return False
        return True

    def _wait(self, what: str, condition: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not condition():
            ended = [daemon.args for daemon in self._daemons if daemon.poll() is not None]
            if ended or time.monotonic() > end:
                logs = "\n".join(
                    f"--- {log.name}\n{log.read_text()[-2000:]}" for log in (self.folder / "logs").iterdir()
                )
                raise RuntimeError(f"{what} did not come up; ended: {ended}\n{logs}")
            time.sleep(0.2)


def _processes_apart() -> list[str]:
    """A prefix by which a node has a process table of its own, as real nodes do; nothing where that is not allowed."""
    prefix = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    allowed = shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    return prefix if allowed else []


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])  # where Debian puts the daemons


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as name,
        LocalSlurm(Path(name)) as slurm,
    ):
        print(f"export SLURM_CONF={name}/slurm.conf    # then sinfo, sbatch …; Ctrl-C here stops it", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("stopping")
