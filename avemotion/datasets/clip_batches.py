"""Padded batches of clips for training and evaluation.

A sampler yields (epoch, position) pairs, so that augmentation in loader workers gets the epoch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from avemotion.system.seeds import seed_for

Key = tuple[int | None, int]  # (epoch, or None for evaluation; position)
# (clip id, epoch) -> features [T, D], number of real steps
Source = Callable[[str, int | None], tuple[Tensor, int]]
Rows = Callable[[str], Tensor]  # clip id -> one vector [P], NaN where the clip lacks it


@dataclass(frozen=True, kw_only=True)
class Batch:
    """audio [B, T, D], audio_mask [B, T], video [B, N, ...], video_mask [B, N], target [B, ...], ids of the B clips;
    prosody [B, P] where the model takes it, NaN for a clip without sound."""

    ids: list[str]
    audio: Tensor
    audio_mask: Tensor
    video: Tensor
    video_mask: Tensor
    target: Tensor
    prosody: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device."""
        moved = {k: v.to(device, non_blocking=True) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return Batch(ids=self.ids, **moved)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs of a fusion model: audio, audio_mask, video, video_mask, and prosody where there is one."""
        both = self.audio, self.audio_mask, self.video, self.video_mask
        return both if self.prosody is None else (*both, self.prosody)


def absent(source: Source) -> Source:
    """A source of the same clips without this modality."""

    def zero_steps(clip: str, epoch: int | None) -> tuple[Tensor, int]:
        features, _ = source(clip, epoch)
        return torch.zeros_like(features[:1]), 0

    return zero_steps


class KeyedDataset(Dataset, ABC):
    """Items by Key."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, key: Key) -> Any: ...


class ClipDataset(KeyedDataset):
    """Clips with their features and targets.

    Args:
        ids: clip ids. targets: [len(ids), ...].
        audio, video: sources; None gives that modality zero real steps.
        prosody: vectors of the clips, for a model that takes them.
    """

    def __init__(
        self,
        ids: Sequence[str],
        targets: Tensor,
        audio: Source | None,
        video: Source | None,
        prosody: Rows | None = None,
    ):
        assert len(ids) == len(targets)
        self.ids, self.targets, self.audio, self.video, self.prosody = list(ids), targets, audio, video, prosody

    def __len__(self) -> int:
        return len(self.ids)

    def steps(self) -> list[int]:
        """Audio steps of each clip in the cache; 1 where the source does not know them before it reads a clip."""
        known = getattr(self.audio, "steps", lambda clip: 1)
        return [known(clip) for clip in self.ids]

    def __getitem__(self, key: Key) -> tuple:
        epoch, i = key
        absent = (torch.zeros(1, 1), 0)
        audio = absent if self.audio is None else self.audio(self.ids[i], epoch)
        video = absent if self.video is None else self.video(self.ids[i], epoch)
        item = self.ids[i], audio, video, self.targets[i]
        return item if self.prosody is None else (*item, self.prosody(self.ids[i]))


def collate(items: list[tuple]) -> Batch:
    """Pad the items of a ClipDataset to the longest of the batch."""
    ids, audio, video, targets, *prosody = zip(*items, strict=True)
    padded_audio, audio_mask = pad(audio)
    padded_video, video_mask = pad(video)
    return Batch(
        ids=list(ids),
        audio=padded_audio,
        audio_mask=audio_mask,
        video=padded_video,
        video_mask=video_mask,
        target=torch.stack(targets),
        prosody=torch.stack(prosody[0]) if prosody else None,
    )


class EpochSampler(Sampler[Key]):
    """Yields every position once per epoch, in an order seeded by (seed, epoch)."""

    def __init__(self, size: int, seed: int):
        self.size, self.seed, self.epoch = size, seed, 1

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Key]:
        generator = torch.Generator().manual_seed(seed_for(self.seed, "order", self.epoch))
        return iter([(self.epoch, i) for i in torch.randperm(self.size, generator=generator).tolist()])


class BalancedSampler(EpochSampler):
    """Yields as many positions as there are clips, of every class equally often (to within one).

    A small class is repeated, of a large one only a part is drawn, in each epoch another one. A clip drawn twice in an
    epoch has the same augmentation, because that is seeded by clip and epoch.
    """

    def __init__(self, targets: Tensor, seed: int):
        super().__init__(len(targets), seed)
        self.classes = [torch.nonzero(targets == name).squeeze(1) for name in targets.unique()]

    def __iter__(self) -> Iterator[Key]:
        generator = torch.Generator().manual_seed(seed_for(self.seed, "balanced order", self.epoch))

        def shuffled(positions: Tensor) -> Tensor:
            return positions[torch.randperm(len(positions), generator=generator)]

        share, rest = divmod(self.size, len(self.classes))
        drawn = []
        for place, k in enumerate(torch.randperm(len(self.classes), generator=generator).tolist()):
            count, own = share + (place < rest), self.classes[k]
            drawn.append(torch.cat([shuffled(own) for _ in range(-(-count // len(own)))])[:count])
        return iter([(self.epoch, i) for i in shuffled(torch.cat(drawn)).tolist()])


class LengthSampler(EpochSampler):
    """Yields every position once per epoch, so that consecutive batches hold clips of nearly equal length.

    The shuffled clips are cut into pools of POOL batches. Each pool is sorted by length and cut into batches, and the
    batches of all pools are shuffled. So a batch holds other clips in every epoch, and little padding. Clips that do
    not fill a batch are drawn at random and come last.

    Args:
        lengths: steps of each clip. batch_size: that of the loader, which must keep the order.
    """

    POOL = 10  # larger pools save little more, and in a small corpus the same clips would always meet

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int):
        super().__init__(len(lengths), seed)
        self.lengths, self.batch_size = torch.tensor(lengths), batch_size

    def __iter__(self) -> Iterator[Key]:
        generator = torch.Generator().manual_seed(seed_for(self.seed, "order by length", self.epoch))
        shuffled = torch.randperm(self.size, generator=generator)
        rest, full = shuffled.split([self.size % self.batch_size, self.size - self.size % self.batch_size])
        ordered = [pool[self.lengths[pool].argsort(stable=True)] for pool in full.split(self.POOL * self.batch_size)]
        batches = torch.cat(ordered).view(-1, self.batch_size)
        mixed = batches[torch.randperm(len(batches), generator=generator)].flatten()
        return iter([(self.epoch, i) for i in torch.cat([mixed, rest]).tolist()])


def sampler_of(kind: str, dataset: "ClipDataset", batch_size: int, seed: int) -> EpochSampler:
    """The sampler of a value of the param `sampling`: shuffled, balanced or by_length."""
    if kind == "balanced":
        return BalancedSampler(dataset.targets, seed)
    if kind == "by_length":
        return LengthSampler(dataset.steps(), batch_size, seed)
    return EpochSampler(len(dataset), seed)


def training_batches(
    dataset: KeyedDataset,
    batch_size: int,
    seed: int,
    workers: int = 0,
    collate: Callable[[list], Any] = collate,
    sampler: EpochSampler | None = None,
) -> Callable[[int], Iterable[Any]]:
    """epoch -> the augmented batches of that epoch.

    Args:
        sampler: the order of the clips; None: shuffled.
    """
    sampler = sampler or EpochSampler(len(dataset), seed)
    loader = DataLoader(
        dataset,
        batch_size,
        sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=2 if workers else None,
        generator=torch.Generator().manual_seed(
            seed
        ),  # its own generator: draws from the global one would change dropout
    )

    def epoch_batches(epoch: int) -> Iterable[Batch]:
        sampler.epoch = epoch
        return loader

    return epoch_batches


def evaluation_batches(
    dataset: KeyedDataset, batch_size: int, collate: Callable[[list], Any] = collate
) -> Iterator[Any]:
    """All clips in order, without augmentation."""
    for start in range(0, len(dataset), batch_size):
        yield collate([dataset[None, i] for i in range(start, min(start + batch_size, len(dataset)))])


def pad(items: Sequence[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """[(features [T_i, ...], number of real steps)] -> [B, T, ...], mask [B, T]."""
    longest = max(len(features) for features, _ in items)
    padded = items[0][0].new_zeros(len(items), longest, *items[0][0].shape[1:])
    mask = torch.zeros(len(items), longest, dtype=torch.bool)
    for row, (features, real) in enumerate(items):
        padded[row, : len(features)] = features
        mask[row, :real] = True
    return padded, mask
