"""Its import error answers questions with further errors."""


class LyingError(ImportError):
    @property
    def name(self):
        raise RuntimeError("no comment")


raise LyingError("something is missing")
