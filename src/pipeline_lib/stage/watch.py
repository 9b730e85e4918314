"""The watch that ends a job with the process that started it, from the job's first import on.

A job that outlived its scheduler would go on beside the one that the next run starts in its place, in the same folder.
The package starts the watch, so it is there before torch is imported, which takes seconds on a loaded machine.
"""

import os
from collections.abc import Callable

SCHEDULER = "PIPELINE_SCHEDULER"  # host:number of the process that started this job; set by the workflow
_EVERY = 0.5  # seconds


def start() -> None:
    """Watch what the environment names, if anything: the workflow that started this job, and its torchrun.

    The job then stops as after SIGTERM.
    """
    host, _, scheduler = os.environ.get(SCHEDULER, "").partition(":")
    if host and host == os.uname().nodename:  # not a process of a training job that lies on another node
        _stop_when(lambda: _has_ended(int(scheduler)))
    if "LOCAL_RANK" in os.environ:
        torchrun = os.getppid()
        _stop_when(lambda: os.getppid() != torchrun)


def _stop_when(ended: Callable[[], bool]) -> None:
    import signal  # these here: nothing but a job needs them at its start
    import threading
    import time

    def watch() -> None:
        while not ended():
            time.sleep(_EVERY)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)  # the one that sleeps or reads

    threading.Thread(target=watch, daemon=True).start()


def _has_ended(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks whether it lives
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # the number is another user's process by now, or the scheduler is: nothing can be told
    return False
