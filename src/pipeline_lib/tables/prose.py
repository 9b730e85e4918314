"""How tables of texts show a text."""

EMPTY = "(empty)"
