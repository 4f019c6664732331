"""Rounding errors of half precision and the noise in the feature caches, for metrics/detail/features.json."""

from collections.abc import Iterable
from pathlib import Path

from avemotion.formats.feature_store import FeatureStore


def report(folders: Iterable[Path]) -> dict[str, dict]:
    """Content of metrics/detail/features.json: the precision of each feature folder <kind>/<role>, by "<role>_<kind>".

    `noise` names the origin of the noise in noisy views: gaussian, or the recording and the first digits of its hash.

    Raises:
        ValueError: a folder is missing or damaged.
    """
    precision: dict[str, dict] = {}
    for folder in folders:
        cache = FeatureStore(folder)
        arrays = {
            name: {"stored": cache.dtype(name).name} | {f"{kind}_error": error for kind, error in kinds.items()}
            for name, kinds in cache.facts["rounding"].items()
        }
        arithmetic = {"precision": cache.facts["precision"]} if "precision" in cache.facts else {}
        noise = {"noise": cache.facts["noise"]} if len(cache.views) > 1 else {}
        precision[f"{folder.name}_{folder.parent.name}"] = {"clips": len(cache.ids)} | noise | arithmetic | arrays
    return precision
