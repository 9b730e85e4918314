"""The one error a user is meant to read: what is wrong, where, what was expected, what to do."""

from pathlib import Path

REMAKE = "delete the file and run the same command again; it will be remade"
_LONGEST = 4_000  # characters of one part; a foreign file may have put anything of any length into it
_LISTED = 50  # known names at most; a corpus may have thousands of users


class PipelineError(Exception):
    """A fault in the input, the settings or the machine that the user can mend.

    Args:
        problem: what was found, one sentence.
        where: file, line, key or row in which it was found.
        expected: what would have been right.
        remedy: what to do now.
    """

    def __init__(self, problem: str, *, where: str | Path = "", expected: str = "", remedy: str = "") -> None:
        self.problem, self.where, self.expected, self.remedy = problem, str(where), expected, remedy
        super().__init__(problem)

    def __str__(self) -> str:
        lines = [f"Error: {_printable(self.problem)}"]
        for name in ("where", "expected", "remedy"):
            if value := getattr(self, name):
                lines.append(f"  {name + ':':<10}{_printable(value)}")
        return "\n".join(lines)


def _printable(text: str) -> str:
    """Cut ``text`` to a readable length; escape what could steer a terminal or cannot be encoded."""
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … ({len(text) - _LONGEST:,} more characters)"
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in cut)


def did_you_mean(name: str, known: list[str]) -> str:
    """Return a hint that names the closest of ``known``, or else lists what there is."""
    from difflib import get_close_matches

    if close := get_close_matches(name, known, n=1, cutoff=0.5):
        return f"did you mean {close[0]!r}?"
    others = f", and {len(known) - _LISTED} others" if len(known) > _LISTED else ""
    return "known: " + ", ".join(sorted(known)[:_LISTED]) + others
