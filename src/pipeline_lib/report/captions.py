"""Captions of tables and figures, kept once for both reports: reStructuredText with Jinja, as Snakemake has it."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipeline_lib.errors import PipelineError

_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "doctitle_xform": False,
    "report_level": 5,  # the fault is told below, not printed
    "halt_level": 2,  # a warning is a fault of the caption
    "syntax_highlight": "none",
}


def caption_html(path: Path, wildcards: Mapping[str, str], params: Mapping[str, Any] | None = None) -> str:
    """A caption as HTML, with ``snakemake.wildcards`` and ``snakemake.params`` filled in.

    Raises:
        PipelineError: the file is not readable, or not valid Jinja or reStructuredText.
    """
    from docutils.core import publish_parts  # comes with Snakemake, whose report needs both
    from docutils.utils import SystemMessage
    from jinja2 import Environment, StrictUndefined, TemplateError

    try:
        job = SimpleNamespace(wildcards=SimpleNamespace(**wildcards), params=SimpleNamespace(**(params or {})))
        template = Environment(undefined=StrictUndefined).from_string(path.read_text(encoding="utf-8"))
        text = template.render(snakemake=job)
        parts = publish_parts(text, source_path=str(path), writer="html5", settings_overrides=_SETTINGS)
    except (OSError, UnicodeDecodeError, TemplateError, SystemMessage) as error:
        raise PipelineError(
            f"caption not readable: {error}",
            where=path,
            expected="reStructuredText, with `snakemake.wildcards` and `snakemake.params` of the rule in double braces",
            remedy="correct the caption",
        ) from error
    return str(parts["fragment"])
