"""Turns of dialogues with everything a valence/arousal model may hear and see of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from stages.lib.data.dataset import Key, pad
from stages.lib.features.store import FeatureStore

VECTORS = ("prosody", "speaker", "fused")  # one row a turn; speech is a sequence


@dataclass(frozen=True, kw_only=True)
class TurnBatch:
    """inputs: keyword arguments of VAModel.forward; target [B, 2] valence and arousal, NaN where unlabelled."""

    ids: list[str]
    inputs: dict[str, Tensor]
    target: Tensor

    def to(self, device: torch.device) -> "TurnBatch":
        """The batch on another device."""
        inputs = {name: value.to(device, non_blocking=True) for name, value in self.inputs.items()}
        return TurnBatch(ids=self.ids, inputs=inputs, target=self.target.to(device, non_blocking=True))


class TurnDataset(Dataset):
    """Turns of a feature store with the arrays `speech` [T, D] and `prosody`, `speaker`, `fused` [1, size].

    Args:
        ids: turn ids. targets: [len(ids), 2]. A store without one of the arrays leaves that input out.
    """

    def __init__(self, store: FeatureStore, ids: Sequence[str], targets: Tensor):
        assert len(ids) == len(targets)
        self.store, self.ids, self.targets = store, list(ids), targets

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: Key) -> tuple[str, dict[str, Tensor], Tensor]:
        _, i = key
        clip = self.ids[i]
        features = {name: torch.from_numpy(self.store.get(clip, name).copy()) for name in self.store.arrays}
        return clip, features, self.targets[i]


def collate_turns(items: list[tuple[str, dict[str, Tensor], Tensor]]) -> TurnBatch:
    """Pad speech to the longest turn of the batch."""
    ids, features, targets = zip(*items, strict=True)
    inputs = {name: torch.cat([row[name] for row in features]) for name in VECTORS if name in features[0]}
    if "speech" in features[0]:
        inputs["speech"], inputs["speech_mask"] = pad([(row["speech"], len(row["speech"])) for row in features])
    return TurnBatch(ids=list(ids), inputs=inputs, target=torch.stack(targets))
