"""A running demo page, and the media for it."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

FILM, SECONDS = "film.mp4", 10.0  # H.264 and AAC, as browsers play them
TONE, TONE_RATE = 441.0, 48000  # Hz


@dataclass(frozen=True)
class Page:
    """A running `commands.demo`."""

    url: str
    process: subprocess.Popen
    temporary: Path  # its folder for temporary files

    def files(self) -> list[Path]:
        """What it holds of its visitors."""
        return [path for path in self.temporary.rglob("*") if path.is_file()]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)
