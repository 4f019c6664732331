"""The clips that the last whole run of an extractor left, so that a few more clips cost those few.

<work>/<key>/last.json holds every clip's media, counts and checksums, but no rows: those are not kept a second time.
They are found again by their checksums, in the feature folder itself where it still lies there (runs without DVC),
otherwise in DVC's cache at the version that dvc.lock names (DVC deletes outs before a run, its copy stays). So storage
is that of the feature folder, of DVC's copy (none with cache.type reflink or hardlink), and of the new folder while it
is written. The price: after `dvc gc`, with `--no-commit` or in a new clone, the first change of the clips extracts all.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from avemotion.formats import feature_store

Counts = dict[str, float]  # of what was special about a clip
LOCK = Path("dvc.lock")


class LastRun:
    """What is known of the last whole run of one extractor into one feature folder, and where its rows lie now."""

    def __init__(self, folder: Path, out: Path, media: dict[str, str]):
        """folder: of this extractor, params and code; media: clip id -> what tells its recording from others."""
        self.file, self._links, self._out, self._media = folder / "last.json", folder / "links", out, media
        self._entries: dict[str, dict] = _entries(self.file)
        self._source: dict[str, feature_store.FeatureStore] = {}

    def find(self, wanted: set[str]) -> set[str]:
        """Which of the clips have their rows of the last run somewhere still."""
        wanted = {clip for clip in wanted if self._entries.get(clip, {}).get("media") == self._media[clip]}
        for place in (lambda: self._out, self._in_dvc_cache):
            if missing := wanted - self._source.keys():
                self._look(place(), missing)
        return set(self._source)

    def read(self, clip: str) -> tuple[feature_store.Views, Counts]:
        """Rows and counts of a clip that was found.

        Raises:
            ValueError: the rows are not what was written.
        """
        try:
            views = self._source[clip].checked(clip)
        except ValueError as error:
            del self._entries[clip]
            self._write()
            raise ValueError(f"{error}, or run again: clip {clip!r} is then extracted anew") from error
        assert views is not None, f"{clip} has media but no rows"
        return views, self._entries[clip]["counts"]

    def remember(self, counts: dict[str, Counts]) -> None:
        """The feature folder now holds the clips of `counts`."""
        written = feature_store.FeatureStore(self._out)
        self._entries = {
            clip: {"media": self._media[clip], "counts": of, "rows": written.checksums(clip)}
            for clip, of in counts.items()
        }
        self._write()
        shutil.rmtree(self._links, ignore_errors=True)

    def _write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial = self.file.with_name("last.json.partial")
        partial.write_text(json.dumps(self._entries, indent=0, sort_keys=True), encoding="utf-8")
        partial.replace(self.file)

    def _look(self, folder: Path | None, missing: set[str]) -> None:
        if folder is None or not folder.is_dir():
            return
        try:
            found = feature_store.FeatureStore(folder)
        except ValueError:
            return  # damaged, or of another version: as if it were not there
        for clip in missing.intersection(found.ids):
            if found.checksums(clip) == self._entries[clip]["rows"]:
                self._source[clip] = found

    def _in_dvc_cache(self) -> Path | None:
        """A folder of links to the files of the version that dvc.lock names; None where there is none."""
        if not LOCK.is_file():
            return None
        try:
            stages = yaml.safe_load(LOCK.read_text("utf-8"))["stages"].values()
            outs = {out["path"]: out.get("md5") for stage in stages for out in stage.get("outs", [])}
        except (yaml.YAMLError, TypeError, KeyError, AttributeError):
            return None  # DVC was killed while it wrote; it refuses such a file itself and says what to do
        listed = outs.get(self._out.as_posix())
        asked = [sys.executable, "-m", "dvc", "cache", "dir"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        if not listed or answer.returncode:
            return None
        cache = Path(answer.stdout.strip()).resolve() / "files" / "md5"
        listing = cache / listed[:2] / listed[2:]
        if not listing.is_file():
            return None
        shutil.rmtree(self._links, ignore_errors=True)
        self._links.mkdir(parents=True)
        for entry in json.loads(listing.read_text("utf-8")):
            (self._links / entry["relpath"]).symlink_to(cache / entry["md5"][:2] / entry["md5"][2:])
        return self._links


def _entries(file: Path) -> dict[str, dict]:
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError:  # a machine lost power while it was written: as if it were not there
        return {}
