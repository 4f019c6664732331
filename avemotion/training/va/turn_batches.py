"""Turns with everything a valence/arousal model may hear and see of them, one by one or dialogue by dialogue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from avemotion.datasets.clip_batches import Key, pad
from avemotion.datasets.memory_store import Store
from avemotion.formats.targets import TARGETS

SEQUENCES = ("speech", "layers")
VECTORS = ("prosody", "speaker", "fused")  # one row a turn


@dataclass(frozen=True, kw_only=True)
class TurnBatch:
    """inputs: keyword arguments of VAModel.parts; target [B, 2] valence and arousal, NaN where unlabelled.

    turns [G, N]: the B turns fill it row by row, a dialogue a row; None where turns stand by themselves.
    continued: the dialogues go on from the batch before.
    """

    ids: list[str]
    inputs: dict[str, Tensor]
    target: Tensor
    turns: Tensor | None = None
    continued: bool = False

    def to(self, device: torch.device) -> "TurnBatch":
        """The batch on another device."""

        def moved(value: Tensor) -> Tensor:
            return value.to(device, non_blocking=True)

        inputs = {name: moved(value) for name, value in self.inputs.items()}
        turns = None if self.turns is None else moved(self.turns)
        return replace(self, inputs=inputs, target=moved(self.target), turns=turns)


class TurnDataset(Dataset):
    """Turns of a feature store with arrays of the names in SEQUENCES ([T, ...]) and VECTORS ([1, size]).

    Args:
        ids: turn ids. targets: [len(ids), 2]. A store without one of the arrays leaves that input out.
        dialogues: positions of the turns of each dialogue in time order; none where turns stand by themselves.
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


def turn_dataset(store: Store, rows: pd.DataFrame, in_dialogues: bool) -> TurnDataset:
    """The turns of rows of labels.csv; in_dialogues: in time order within each dialogue, over both speakers.

    Raises:
        ValueError: in_dialogues, and a turn has no dialogue.
    """
    dialogues: list[list[int]] = []
    if in_dialogues:
        strays = rows.id[rows.dialogue.isna()]
        if len(strays):
            raise ValueError(
                f"data/manifest/affect/labels.csv: turn {strays.iloc[0]} has no dialogue, but va.state carries "
                "something from turn to turn; set va.state.kind: none"
            )
        rows = rows.sort_values(["dialogue", "turn", "start", "id"], ignore_index=True)
        dialogues = [list(part.index) for _, part in rows.groupby("dialogue")]
    targets = torch.tensor(rows[TARGETS].to_numpy(), dtype=torch.float32)
    return TurnDataset(store, list(rows.id), targets, dialogues)


def collate_turns(items: list[tuple[str, dict[str, Tensor], Tensor]]) -> TurnBatch:
    """Pad speech to the longest turn of the batch."""
    ids, features, targets = zip(*items, strict=True)
    inputs = {name: torch.cat([row[name] for row in features]) for name in VECTORS if name in features[0]}
    for name in SEQUENCES:
        if name in features[0]:
            inputs[name], inputs["speech_mask"] = pad([(row[name], len(row[name])) for row in features])
    return TurnBatch(ids=list(ids), inputs=inputs, target=torch.stack(targets))


def dialogue_batches(dataset: TurnDataset, order: Sequence[int], size: int, chunk: int) -> Iterator[TurnBatch]:
    """Dialogues side by side, in pieces of at most `chunk` turns, all pieces of a group one after another.

    Args:
        order: indices into dataset.dialogues. size: dialogues side by side.
    """
    for start in range(0, len(order), size):
        group = [dataset.dialogues[i] for i in order[start : start + size]]
        for first in range(0, max(map(len, group)), chunk):
            pieces = [positions[first : first + chunk] for positions in group]
            lengths = torch.tensor([len(piece) for piece in pieces])
            batch = collate_turns([dataset[None, i] for piece in pieces for i in piece])
            turns = torch.arange(int(lengths.max())) < lengths[:, None]
            yield replace(batch, turns=turns, continued=first > 0)
