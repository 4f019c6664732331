"""The interface of feature stores, and a store in memory for new recordings."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from avemotion.formats.feature_store import CLEAN, Views


class Store(Protocol):
    """Rows of clips by array and view; FeatureStore and MemoryStore implement it."""

    facts: dict[str, Any]
    missing: list[str]  # ids without rows

    @property
    def views(self) -> list[str]: ...

    @property
    def arrays(self) -> list[str]: ...

    @property
    def settings(self) -> dict[str, Any]: ...

    def dim(self, array: str) -> tuple[int, ...]: ...

    def length(self, clip: str, array: str, view: str = CLEAN) -> int: ...

    def get(self, clip: str, array: str, view: str = CLEAN) -> np.ndarray: ...


class MemoryStore:
    """Rows of clips in memory; returns the same values as a FeatureStore of these rows."""

    def __init__(self, rows: Mapping[str, Views | None], facts: dict[str, Any]):
        """rows: clip id -> view -> array -> [T, ...]; None for a clip without this modality."""
        self._rows = {clip: views for clip, views in rows.items() if views is not None}
        self.missing = [clip for clip, views in rows.items() if views is None]
        self.facts = facts

    def joined(self, other: "MemoryStore") -> "MemoryStore":
        """The rows of both, which have different ids."""
        assert not self._rows.keys() & other._rows.keys()
        none = dict.fromkeys([*self.missing, *other.missing])
        return MemoryStore({**self._rows, **other._rows, **none}, self.facts)

    @property
    def views(self) -> list[str]:
        """Names of the views."""
        return list(next(iter(self._rows.values()))) if self._rows else [CLEAN]

    @property
    def arrays(self) -> list[str]:
        """Names of the arrays; none if no clip has rows."""
        return list(next(iter(self._rows.values()))[CLEAN]) if self._rows else []

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the extractor."""
        return self.facts["settings"]

    def dim(self, array: str) -> tuple[int, ...]:
        """Shape of one row."""
        return next(iter(self._rows.values()))[CLEAN][array].shape[1:]

    def length(self, clip: str, array: str, view: str = CLEAN) -> int:
        """Number of rows T of a clip; 0 where it is missing."""
        return len(self._rows[clip][view][array]) if clip in self._rows else 0

    def get(self, clip: str, array: str, view: str = CLEAN) -> np.ndarray:
        """Rows [T, ...] of a clip; T is 0 if the clip is missing and another clip has rows."""
        if clip in self._rows:
            return self._rows[clip][view][array]
        example = next(iter(self._rows.values()))[CLEAN][array]
        return example[:0]
