"""The folder of the sheets that raters have sent back."""

from pathlib import Path

from pipeline_lib.errors import PipelineError

_BESIDE = {".json", ".html", ".md"}  # keys, pages without answers, and notes may lie beside filled sheets


def sheets_in(folder: Path) -> list[Path]:
    """List the filled sheets of a folder, by name; none if there is no such folder.

    Raises:
        PipelineError: there is something that could be a sheet and would not be read, such as a spreadsheet.
    """
    visible = [path for path in sorted(folder.glob("*")) if not path.name.startswith((".", "~"))]
    for path in visible:
        if path.suffix.lower() not in {".csv", *_BESIDE}:
            raise PipelineError(
                "a folder among the filled sheets" if path.is_dir() else "not a filled sheet",
                where=path,
                expected="files whose name ends in .csv, directly in the folder of ratings (`ratings: {folder: …}`)",
                remedy="move the sheets out of it"
                if path.is_dir()
                else "save it as CSV, under a name that ends so; or move it elsewhere if it is no sheet",
            )
    return [path for path in visible if path.suffix.lower() == ".csv"]
