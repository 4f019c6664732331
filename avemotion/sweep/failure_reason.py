"""Why a run failed, from the lines of its output."""

import re

_NAMED = re.compile(r"(?:error|ERROR|[\w.]*(?:Error|Exception)): ")
_STAGE = re.compile(r"ERROR: failed to reproduce '(.+?)': .*exited with (-?\d+)")


class Reason:
    """The last line that begins like an error, else the last one that is not from DVC; and the stage that DVC names."""

    def __init__(self) -> None:
        self._line = self._stage = ""
        self._named = False

    def read(self, line: str) -> None:
        """A line of the output, in its order."""
        text = line.strip()
        if match := _STAGE.match(text):
            self._stage = f"{match[1]} exited with {match[2]}: "
        elif text and not text.startswith(("Running stage", "> ")):
            named = _NAMED.match(text) is not None
            if named or not self._named:
                self._line, self._named = text, named

    @property
    def text(self) -> str:
        return self._stage + self._line
