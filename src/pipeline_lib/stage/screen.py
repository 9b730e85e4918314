"""Warnings that reach the user's screen, although the output of a job goes to its log file."""

import logging
import os

SCREEN = "PIPELINE_SCREEN"  # number of the open file that is the screen; set by rules whose stages warn

log = logging.getLogger(__name__)


def warn(message: str) -> None:
    """Write a warning to the log and, where the rule passes the screen on, there too."""
    log.warning("Warning: %s", message)
    if screen := os.environ.get(SCREEN):
        try:
            os.write(int(screen), f"Warning: {message}\n".encode())
        except OSError:  # a screen that was closed must not end the job
            log.info("the warning reached only this log")
