"""Batches of turns with the inputs of a VA model: of independent turns, or of dialogues."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor

from avemotion.datasets.clip_batches import Key, KeyedDataset, pad
from avemotion.datasets.memory_store import Store

SEQUENCES = ("speech", "layers")
VECTORS = ("prosody", "speaker", "fused")  # one row per turn


@dataclass(frozen=True, kw_only=True)
class TurnBatch:
    """A batch of B turns."""

    ids: list[str]
    inputs: dict[str, Tensor]  # keyword arguments of VAModel.parts
    target: Tensor  # [B, K]: NaN where unlabelled
    turns: Tensor | None = None  # [G, N]: the B turns fill it row by row, one dialogue per row; None: independent turns
    continued: bool = False  # whether the dialogues continue those of the previous batch

    def to(self, device: torch.device) -> "TurnBatch":
        """The batch on another device."""

        def moved(value: Tensor) -> Tensor:
            return value.to(device, non_blocking=True)

        inputs = {name: moved(value) for name, value in self.inputs.items()}
        turns = None if self.turns is None else moved(self.turns)
        return replace(self, inputs=inputs, target=moved(self.target), turns=turns)


class TurnDataset(KeyedDataset):
    """Turns of a feature store.

    Args:
        store: its arrays with the names in SEQUENCES ([T, ...]) and VECTORS ([1, size]) are the inputs.
        ids: turn ids. targets: [len(ids), K].
        dialogues: positions of the turns of each dialogue in time order; empty for independent turns.
    """

    def __init__(self, store: Store, ids: Sequence[str], targets: Tensor, dialogues: Sequence[Sequence[int]] = ()):
        assert len(ids) == len(targets)
        self.store, self.ids, self.targets = store, list(ids), targets
        self.dialogues = [list(positions) for positions in dialogues]
        self.names = [name for name in (*SEQUENCES, *VECTORS) if name in store.arrays]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: Key) -> tuple[str, dict[str, Tensor], Tensor]:
        _, i = key
        clip = self.ids[i]
        features = {name: torch.from_numpy(self.store.get(clip, name).copy()) for name in self.names}
        return clip, features, self.targets[i]


def turn_dataset(store: Store, rows: pd.DataFrame, targets: Sequence[str], in_dialogues: bool) -> TurnDataset:
    """The turns of rows of labels.csv; with in_dialogues, each dialogue's turns of both speakers in time order.

    Raises:
        ValueError: a turn has no dialogue although in_dialogues is true.
    """
    dialogues: list[list[int]] = []
    if in_dialogues:
        without = rows.id[rows.dialogue.isna()]
        if len(without):
            raise ValueError(
                f"data/manifest/affect/labels.csv: turn {without.iloc[0]} has no dialogue, but va.state needs "
                "dialogues; set va.state.kind: none"
            )
        rows = rows.sort_values(["dialogue", "turn", "start", "id"], ignore_index=True)
        dialogues = [list(part.index) for _, part in rows.groupby("dialogue")]
    truth = torch.tensor(rows[list(targets)].to_numpy(), dtype=torch.float32)
    return TurnDataset(store, list(rows.id), truth, dialogues)


def collate_turns(items: list[tuple[str, dict[str, Tensor], Tensor]]) -> TurnBatch:
    """Pad speech to the longest turn of the batch."""
    ids, features, targets = zip(*items, strict=True)
    inputs = {name: torch.cat([row[name] for row in features]) for name in VECTORS if name in features[0]}
    for name in SEQUENCES:
        if name in features[0]:
            inputs[name], inputs["speech_mask"] = pad([(row[name], len(row[name])) for row in features])
    return TurnBatch(ids=list(ids), inputs=inputs, target=torch.stack(targets))


def dialogue_batches(dataset: TurnDataset, order: Sequence[int], size: int, chunk: int) -> Iterator[TurnBatch]:
    """Batches of `size` dialogues, in chunks of at most `chunk` turns; the chunks of a group follow each other.

    Args:
        order: indices into dataset.dialogues.
    """
    for start in range(0, len(order), size):
        group = [dataset.dialogues[i] for i in order[start : start + size]]
        for first in range(0, max(map(len, group)), chunk):
            chunks = [positions[first : first + chunk] for positions in group]
            lengths = torch.tensor([len(positions) for positions in chunks])
            batch = collate_turns([dataset[None, i] for positions in chunks for i in positions])
            turns = torch.arange(int(lengths.max())) < lengths[:, None]
            yield replace(batch, turns=turns, continued=first > 0)
