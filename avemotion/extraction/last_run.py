"""The clips of the last complete run of an extractor, so that a run with additional clips extracts only those.

<work>/<key>/last.json has the media, counts and checksums of every clip, but no second copy of its rows. The rows are
read from the feature folder if it still exists (runs without DVC). Else they come from DVC's cache, in the version that
dvc.lock names: DVC deletes outs before a run, but keeps its own copy. Checksums show whether the rows are still the
same. Storage is that of the feature folder, of DVC's copy (none with cache.type reflink or hardlink), and of the new
folder while it is written. After `dvc gc`, with `--no-commit` or in a new clone, the first change of the clips extracts
all of them.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from avemotion.formats import feature_store

Counts = dict[str, float]  # special cases of a clip, such as cut: 1
LOCK = Path("dvc.lock")


class LastRun:
    """The index of the last complete run of one extractor into one feature folder, and the place of its rows."""

    def __init__(self, folder: Path, out: Path, media: dict[str, str]):
        """folder: of this extractor, params and code; media: clip id -> key of its recording (units.media_key)."""
        self.file, self._links, self._out, self._media = folder / "last.json", folder / "links", out, media
        self._entries: dict[str, dict] = _entries(self.file)
        self._source: dict[str, feature_store.FeatureStore] = {}

    def find(self, wanted: set[str]) -> set[str]:
        """Those of the wanted clips whose rows of the last run still exist."""
        wanted = {clip for clip in wanted if self._entries.get(clip, {}).get("media") == self._media[clip]}
        for place in (lambda: self._out, self._in_dvc_cache):
            if missing := wanted - self._source.keys():
                self._search(place(), missing)
        return set(self._source)

    def read(self, clip: str) -> tuple[feature_store.Views, Counts]:
        """Rows and counts of a clip that `find` returned.

        Raises:
            ValueError: the rows have changed since they were written.
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
        """Write the index of a feature folder with the clips of `counts`."""
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

    def _search(self, folder: Path | None, missing: set[str]) -> None:
        if folder is None or not folder.is_dir():
            return
        try:
            store = feature_store.FeatureStore(folder)
        except ValueError:
            return  # a damaged folder, or one of another version, counts as missing
        for clip in missing.intersection(store.ids):
            if store.checksums(clip) == self._entries[clip]["rows"]:
                self._source[clip] = store

    def _in_dvc_cache(self) -> Path | None:
        """A folder of links to the files of the version that dvc.lock names; None if there is no such version."""
        if not LOCK.is_file():
            return None
        try:
            stages = yaml.safe_load(LOCK.read_text("utf-8"))["stages"].values()
            outs = {out["path"]: out.get("md5") for stage in stages for out in stage.get("outs", [])}
        except (yaml.YAMLError, TypeError, KeyError, AttributeError):
            return None  # DVC was killed while it wrote the file; DVC itself reports this with the remedy
        listed = outs.get(self._out.as_posix())
        command = [sys.executable, "-m", "dvc", "cache", "dir"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not listed or done.returncode:
            return None
        cache = Path(done.stdout.strip()).resolve() / "files" / "md5"
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
    except ValueError:  # the machine lost power while it was written: the file counts as missing
        return {}
