"""Captions of tables and figures as HTML; papers write them as plain text or reStructuredText."""

from pipeline_lib.errors import PipelineError

_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "doctitle_xform": False,
    "report_level": 5,  # the fault is told below, not printed
    "halt_level": 2,  # a warning is a fault of the caption
    "syntax_highlight": "none",
}


def caption_html(text: str, where: str) -> str:
    """Turn a caption into HTML.

    Args:
        where: the table or figure, for errors.
    Raises:
        PipelineError: the caption is not valid reStructuredText.
    """
    from docutils.core import publish_parts  # comes with Snakemake, whose report needs it
    from docutils.utils import SystemMessage

    try:
        return str(publish_parts(text, writer="html5", settings_overrides=_SETTINGS)["fragment"])
    except SystemMessage as error:
        raise PipelineError(
            f"caption not readable: {error}",
            where=f"{where}.caption",
            expected="plain text or reStructuredText",
            remedy="correct the caption in paper.yaml",
        ) from error
