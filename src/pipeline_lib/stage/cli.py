"""The command line of a stage, made of its ``main``: one option per parameter, by its annotation."""

import argparse
import atexit
import gc
import inspect
import os
import signal
import sys
import time
import typing
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline_lib.config.settings import Settings
from pipeline_lib.errors import PipelineError
from pipeline_lib.files import store
from pipeline_lib.files.provenance import current_job


def run(main: Callable[..., None]) -> None:
    """Parse ``sys.argv`` for ``main`` and call it.

    ``Path``, ``str``, ``int`` and ``float`` parameters become options of that type, ``list`` parameters take several
    values, ``dict[str, ...]`` parameters several of the form name=value, a parameter of one kind of `Settings` or of
    several takes its JSON. Errors: see `report`.
    """
    atexit.register(gc.freeze)  # an interpreter that ends need not look for cycles: .3 s with torch
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # temporary files are removed on the way
    report(lambda: _work(main))


def _work(main: Callable[..., None]) -> None:
    """Call ``main`` unless its outputs are in the store, and complete the records of what it wrote."""
    arguments, job = _arguments(main), current_job()
    if job is None or os.environ.get("RANK", "0") != "0":  # of a training job's processes the first alone writes
        main(**arguments)
        return
    job.check_inputs()
    if "RANK" not in os.environ and store.restored(job):
        print("These outputs were finished before, with the same settings, code and inputs: taken from the store.")
        return
    began = time.monotonic()
    main(**arguments)
    job.finish()
    store.keep(job, time.monotonic() - began)


def report(work: Callable[[], None]) -> None:
    """Do ``work``; a `PipelineError`, a full disk or memory is printed to stderr and ends with status 1."""
    try:
        work()
    except PipelineError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        from pipeline_lib.files.disk import disk_full, is_disk_full  # here: a launcher need not wait for Arrow

        if not is_disk_full(error):
            raise
        print(
            disk_full(error.filename or "a log or a file in progress", "room for what this job writes"), file=sys.stderr
        )
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:
        if not _is_of_memory(error):
            raise
        print(_out_of_memory(error), file=sys.stderr)
        sys.exit(1)


def _is_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Tell whether memory ran out: torch's own errors say so in their message alone."""
    said = str(error)
    return isinstance(error, MemoryError) or "out of memory" in said or "can't allocate memory" in said


def _out_of_memory(error: MemoryError | RuntimeError) -> PipelineError:
    said = str(error).strip().splitlines()
    return PipelineError(
        "no memory left" + (f": {said[0][:200]}" if said else ""),
        where="this job, on the device that the message names, or else in main memory",
        expected="room for the weights (`network:`), for what a batch needs (`training.batch_size`, "
        "`decoding.batch_size`), and for the examples",
        remedy="make them smaller, or give the job more memory, then run the same command again",
    )


def _arguments(main: Callable[..., None]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=sys.modules[main.__module__].__doc__)
    hints = typing.get_type_hints(main)
    for name, parameter in inspect.signature(main).parameters.items():
        optional = parameter.default is not inspect.Parameter.empty
        kind = hints[name]
        several = typing.get_origin(kind) in (list, dict)
        if optional:
            kind = next((a for a in typing.get_args(kind) if a is not type(None)), kind)
        parser.add_argument(
            "--" + name.replace("_", "-"),
            dest=name,
            type=_parser_of(kind),
            nargs="*" if several else None,
            required=not optional,
            default=parameter.default if optional else None,
        )
    values = vars(parser.parse_args())
    return {name: dict(value) if typing.get_origin(hints[name]) is dict else value for name, value in values.items()}


def _parser_of(kind: Any) -> Callable[[str], Any]:
    """Return what turns a text into a value, one of several, or a pair of name and value."""
    if typing.get_origin(kind) is list:
        return _parser_of(typing.get_args(kind)[0])
    if typing.get_origin(kind) is dict:
        return _pair_of(_parser_of(typing.get_args(kind)[1]))
    if not all(isinstance(one, type) and issubclass(one, Settings) for one in typing.get_args(kind) or [kind]):
        return kind

    def parse(text: str) -> Settings:
        try:
            return TypeAdapter(kind).validate_json(text)
        except ValidationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def _pair_of(parse: Callable[[str], Any]) -> Callable[[str], tuple[str, Any]]:
    def parse_pair(text: str) -> tuple[str, Any]:
        name, _, value = text.partition("=")
        if not (name and value):
            raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
        return name, parse(value)

    return parse_pair
