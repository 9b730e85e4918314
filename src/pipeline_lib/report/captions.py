"""Captions of tables and figures: reStructuredText, as Snakemake's report has it."""

from pipeline_lib.errors import PipelineError

_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "doctitle_xform": False,
    "report_level": 5,  # the fault is told below, not printed
    "halt_level": 2,  # a warning is a fault of the caption
    "syntax_highlight": "none",
}


def caption_html(caption: str, where: str) -> str:
    """Return a caption as HTML.

    Raises:
        PipelineError: it is not valid reStructuredText.
    """
    from docutils.core import publish_parts  # comes with Snakemake, whose report needs it
    from docutils.utils import SystemMessage

    try:
        parts = publish_parts(caption, source_path=where, writer="html5", settings_overrides=_SETTINGS)
    except SystemMessage as error:
        raise PipelineError(
            f"caption not readable: {error}",
            where=where,
            expected="plain text or reStructuredText",
            remedy="correct the caption in paper.yaml",
        ) from error
    return str(parts["fragment"])
