"""What is wrong with one media file: the fault of a recording, which others need not suffer for."""

from pathlib import Path


class MediaError(ValueError):
    """A file that cannot be used; its text names the file, `reason` does not: it reads the same on every machine."""

    def __init__(self, path: Path | str, reason: str):
        super().__init__(path, reason)  # both, so that it can be handed from a worker process to its parent
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.reason}"


def said(error: Exception) -> str:
    """What an error of a decoder or of the system says, in one line and without the file's absolute path."""
    known = getattr(error, "strerror", None) or getattr(error, "error_string", None)
    text = str(known or (error if type(error) is RuntimeError else type(error).__name__))
    return " ".join(text.split())
