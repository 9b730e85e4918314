"""What lines are called that a reader leaves out since they have not the form of the file."""

BROKEN = "broken lines"
NOTED = 0.05  # share of broken lines above which a reader of the wrong format is likely
