"""Its message is long and holds what would clear a terminal."""

raise ValueError("\x1b[2J\u202e" + "A" * 10_000)
