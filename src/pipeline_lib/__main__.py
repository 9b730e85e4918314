"""Commands beside the workflow: python -m pipeline_lib COMMAND, which lists them with --help."""

import importlib
import signal
import sys

COMMANDS = {
    "list": ("pipeline_lib.runs.listing", "papers, presets, tables, figures and systems, with the command for each"),
    "target": (
        "pipeline_lib.runs.targets",
        "the files of a table, a figure or the page of a run",
    ),
    "compare": ("pipeline_lib.runs.compare", "where the settings, versions, data and values of two runs differ"),
    "verify": ("pipeline_lib.runs.verify", "whether the files of a results folder are as they were written"),
    "explain": ("pipeline_lib.runs.explain", "what a file, or a cell of a table, was made from"),
    "store": ("pipeline_lib.runs.stored", "list and prune finished models that are kept for settings that come back"),
    "answers": ("pipeline_lib.answers", "let a trained system answer contexts of your own"),
    "sentences": ("pipeline_lib.sentences", "try a trained system on sentences of your own"),
    "reference": (
        "pipeline_lib.config.reference",
        "write config/README.md and the JSON schema",
    ),
}


def main() -> None:
    """Call the command that the first argument names with the others."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        asked = name in ("-h", "--help")
        lines = [f"  {command:<10} {meaning}" for command, (_, meaning) in COMMANDS.items()]
        text = "\n".join(["usage: python -m pipeline_lib COMMAND …", "", *lines, "", "Each tells more with --help."])
        print(text, file=sys.stdout if asked else sys.stderr)
        sys.exit(0 if asked else 2)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends a command quietly
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal may lack a letter
    for word in sys.argv[2:]:
        if not word.isascii() and word != word.encode(errors="replace").decode():
            print(f"Error: an argument is not UTF-8: {word!r}\n  remedy:   write it in UTF-8", file=sys.stderr)
            sys.exit(2)
    sys.argv = [f"python -m pipeline_lib {name}", *sys.argv[2:]]
    importlib.import_module(COMMANDS[name][0]).run()


if __name__ == "__main__":
    main()
