"""Features of a target's clips, with the settings that the models of this run were trained with.

They lie in data/work, beside the rest of an extraction: another model of the run takes them as they are, and a killed
run resumes. Deleting data/work is safe.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from avemotion.extraction import extraction
from avemotion.extraction.extraction import Places
from avemotion.features.vision import VisionExtractor
from avemotion.formats.clips import ClipMedia
from avemotion.formats.feature_store import FeatureStore
from avemotion.params.transfer import Config
from avemotion.prediction import feature_settings
from avemotion.prediction.feature_settings import Settings


class TargetCaches:
    """Extracts each kind of feature once for each of its settings."""

    def __init__(self, config: Config, clips: Sequence[ClipMedia], work: Path):
        self.config, self.clips, self.work = config, clips, work
        self._stores: dict[str, FeatureStore] = {}
        self._scratch = 0

    def __call__(self, settings: Mapping[str, Settings]) -> dict[str, FeatureStore]:
        """Feature kind -> the target's features of this kind.

        Raises:
            ValueError: too many clips cannot be extracted.
        """
        stores: dict[str, FeatureStore] = {}
        for kind in sorted(settings, key="vision".__eq__):  # it takes the frames
            stores[kind] = self._store(kind, settings[kind], stores)
        return stores

    def scratch(self) -> Path:
        """A new folder for the time of this run; drop_others deletes it."""
        self._scratch += 1
        return self.work / f"turns_{self._scratch}"

    def drop_others(self) -> None:
        """Delete scratch folders, and the features of settings that no model has any more."""
        for folder in self.work.glob("*_*"):
            if folder.is_dir() and folder.name not in self._stores:
                shutil.rmtree(folder)

    def _store(self, kind: str, of: Settings, others: Mapping[str, FeatureStore]) -> FeatureStore:
        behind = others["frames"].settings if kind == "vision" else {}
        name = f"{kind}_{hashlib.blake2b((_plain(of) + _plain(behind)).encode(), digest_size=4).hexdigest()}"
        if name not in self._stores:
            extractor = feature_settings.extractor(kind, of, self.config.compute.device)
            folder = self.work / name
            media, root = self.clips, Path(self.config.target.root)
            if isinstance(extractor, VisionExtractor):
                media, root = extractor.source(others["frames"].folder)
            places = Places(root=root, out=folder / self.config.title, work=folder)
            extraction.run(extractor, media, places, self.config.compute, self.config.max_rejected)
            self._stores[name] = FeatureStore(places.out)
        return self._stores[name]


def _plain(of: Settings) -> str:
    """Settings as text, without the noise of further views: a target has the clean view alone."""
    return json.dumps({name: value for name, value in of.items() if name != "noise"}, sort_keys=True)
