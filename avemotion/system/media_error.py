"""The error for one unusable media file; other files of the corpus remain usable."""

from pathlib import Path


class MediaError(ValueError):
    """A file that cannot be used. Its text contains the path; `reason` does not, so it is the same on every machine."""

    def __init__(self, path: Path | str, reason: str):
        super().__init__(path, reason)  # both arguments, so that the error can be pickled
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.reason}"


def error_text(error: Exception) -> str:
    """The message of a decoder's or the system's error, in one line and without the file's absolute path."""
    message = getattr(error, "strerror", None) or getattr(error, "error_string", None)
    text = str(message or (error if type(error) is RuntimeError else type(error).__name__))
    return " ".join(text.split())
