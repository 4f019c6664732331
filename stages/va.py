"""Stage va: valence and arousal of dialogue turns, one model a fold.

Fold k is tested on session k, validated on the next one and trained on the rest. The fusion model supplies the
fused embedding and the speech sequence of every turn. Folds run side by side in worker processes and give the
same bytes as one after another; after a kill, finished folds are not trained again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from safetensors.torch import save_file

from stages.lib import cli, params, runtime
from stages.lib.compute import ComputeParams, parallel, seed_for
from stages.lib.data import labels, tables
from stages.lib.data.dataset import evaluation_batches, training_batches
from stages.lib.data.turns import TurnBatch, TurnDataset, collate_turns
from stages.lib.features.store import FeatureStore
from stages.lib.models.fusion import build_fusion
from stages.lib.models.va import TARGETS, VAModel, VAOutput
from stages.lib.outputs import whole_folder
from stages.lib.scoring.metrics import ccc
from stages.lib.source_code import source_digest
from stages.lib.training import checkpoint, freeze, loop
from stages.lib.training.losses import va_loss
from stages.lib.training.turns import TurnInputs, embed_turns

OUT = Path("data/models/va")
WORK = Path("data/work/va")
FUSION = Path("data/models/fusion")


@dataclass(frozen=True, kw_only=True)
class VAParams(loop.OptimParams):
    """Section `va`."""

    inputs: list[Literal["speech", "prosody", "speaker", "fused"]]
    dim: int  # width of every part of the model
    dropout: float
    epochs: int
    valence: float  # weight of each CCC in the loss
    arousal: float
    mse: float  # weight of the squared errors in the loss

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(self.inputs) - {"speaker"} or len(set(self.inputs)) < len(self.inputs):
            raise ValueError(f"inputs is {self.inputs}; name each once, and speech, prosody or fused among them")
        if "speaker" in self.inputs and "speech" not in self.inputs:
            raise ValueError(f"inputs is {self.inputs}; the speaker modulates speech, so speech must be there too")
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; give 1 or more")
        if min(self.valence, self.arousal, self.mse) < 0:
            raise ValueError("valence, arousal and mse are weights of the loss; give 0 or more")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this stage reads from params.yaml."""

    seed: int
    compute: ComputeParams
    heads: int
    va: VAParams


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    config = Config(
        seed=params.read(file, "seed", int),
        compute=params.read(file, "compute", ComputeParams),
        heads=params.read(file, "xattn.heads", int),
        va=params.read(file, "va", VAParams),
    )
    if config.heads < 1 or config.va.dim % config.heads:
        raise ValueError(f"{file}: xattn.heads is {config.heads}; it must divide va.dim ({config.va.dim})")
    return config


def architecture(config: Config, sizes: dict[str, int]) -> dict:
    """Arguments of VAModel; sizes: features of each input."""
    used = {f"{name}_dim": sizes[name] if name in config.va.inputs else None for name in sizes}
    return used | {"dim": config.va.dim, "heads": config.heads, "dropout": config.va.dropout}


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One unit of work: test on `test`, select on `val`, train on all other folds. Picklable."""

    test: int
    val: int
    config: Config
    turns: Path  # feature folder with every turn's inputs
    out: Path


def fold_rows(table: pd.DataFrame, fold: Fold) -> dict[str, pd.DataFrame]:
    """Rows of train, val and test. Unlabelled turns are predicted in val and test but not trained on."""
    known = table[list(TARGETS)].notna().any(axis=1)
    rows = {
        "train": table[known & ~table.split.isin([str(fold.test), str(fold.val)])],
        "val": table[table.split == str(fold.val)],
        "test": table[table.split == str(fold.test)],
    }
    speakers = {name: set(part.speaker) for name, part in rows.items()}
    assert not speakers["train"] & speakers["test"] and not speakers["val"] & speakers["test"]
    for name, part in rows.items():
        if len(part) < 2:
            raise ValueError(f"data/manifest/affect/labels.csv: fold {fold.test} has {len(part)} turns to {name} on")
    return rows


def train_fold(fold: Fold) -> int:
    """Train one fold and leave its folder; one that is there already is finished. Returns the fold."""
    if fold.out.is_dir():
        return fold.test
    config, p = fold.config, fold.config.va
    seed = seed_for(config.seed, "fold", fold.test)
    # One thread: with a fixed count the bytes do not depend on how many folds run side by side.
    device = runtime.setup(seed, config.compute, threads=1)
    store = FeatureStore(fold.turns)
    rows = fold_rows(labels.read("affect"), fold)
    sets = {name: TurnDataset(store, list(part.id), _targets(part)) for name, part in rows.items()}

    arguments = architecture(config, {name: store.dim(name)[0] for name in store.arrays})
    model = VAModel(**arguments)
    standardize(model, sets["train"])
    model.to(device)

    def loss(batch: TurnBatch) -> torch.Tensor:
        batch = batch.to(device)
        prediction = model(**batch.inputs).prediction
        return va_loss(prediction, batch.target, valence=p.valence, arousal=p.arousal, mse=p.mse)

    def validate() -> dict[str, float]:
        prediction = torch.cat([output.prediction for _, output in outputs(model, sets["val"], p.batch_size, device)])
        truth = sets["val"].targets
        scores = [
            ccc(truth[known, k].numpy(), prediction[known, k].numpy()) for k, known in enumerate(~truth.isnan().T)
        ]
        value = va_loss(prediction, truth, valence=p.valence, arousal=p.arousal, mse=p.mse)
        return {"loss": value.item(), "score": sum(scores) / len(scores)}

    def prepare() -> list[dict]:
        return [{"params": list(model.parameters()), "lr": p.lr}]

    epochs = training_batches(sets["train"], p.batch_size, seed, collate=collate_turns)
    phases = [loop.Phase(name="train", epochs=p.epochs, prepare=prepare)]
    history = loop.fit(model, phases, epochs, loss, validate, p, device, f"fold {fold.test}")
    with whole_folder(fold.out) as folder:
        checkpoint.save(folder, model, {"architecture": arguments, "test_fold": fold.test, "validation_fold": fold.val})
        tables.write_results(folder / "history.csv", history)
        held_out = {name: sets[name] for name in ("val", "test")}
        export(folder, model, held_out, store.facts["hop_seconds"], p.batch_size, device)
    return fold.test


def standardize(model: VAModel, training: TurnDataset) -> None:
    """Prosody and units from training rows only."""
    if model.standardize_prosody is not None:
        rows = [training[None, i][1]["prosody"] for i in range(len(training))]
        model.standardize_prosody.fit(torch.cat(rows))
    known = training.targets[~training.targets.isnan().any(1)]
    model.units.fit(known)


def outputs(
    model: VAModel, dataset: TurnDataset, batch_size: int, device: torch.device
) -> Iterator[tuple[TurnBatch, VAOutput]]:
    """(batch, output on the CPU) over all turns in order."""
    for batch in evaluation_batches(dataset, batch_size, collate_turns):
        output = model(**batch.to(device).inputs)
        yield (
            batch,
            VAOutput(
                prediction=output.prediction.float().cpu(),
                attention=None if output.attention is None else output.attention.float().cpu(),
                branches={name: weights.float().cpu() for name, weights in output.branches.items()},
            ),
        )


def export(
    folder: Path, model: VAModel, held_out: dict[str, TurnDataset], hop: float, batch_size: int, device: torch.device
) -> None:
    """predictions.csv of validation and test turns; branches.csv and attention.safetensors of test turns."""
    predicted, branches, attention = [], [], {}
    model.eval()
    with torch.inference_mode():
        for split, dataset in held_out.items():
            for batch, output in outputs(model, dataset, batch_size, device):
                both = torch.cat([batch.target, output.prediction], 1).tolist()
                predicted += [(clip, split, *row) for clip, row in zip(batch.ids, both, strict=True)]
                if split != "test":
                    continue
                if output.branches:
                    weights = torch.cat([output.branches[target] for target in TARGETS], 1).tolist()
                    branches += [(clip, *row) for clip, row in zip(batch.ids, weights, strict=True)]
                if output.attention is not None:
                    for clip, weights, mask in zip(
                        batch.ids, output.attention, batch.inputs["speech_mask"], strict=True
                    ):
                        attention[f"{clip}/prosody_to_speech"] = weights[mask].contiguous()
                        attention[f"{clip}/times"] = (torch.arange(int(mask.sum())) + 0.5) * hop
    names = [*TARGETS, *(f"{target}_predicted" for target in TARGETS)]
    table = pd.DataFrame(predicted, columns=["id", "split", *names])
    tables.write_results(folder / "predictions.csv", table.sort_values("id"))
    names = [f"{target}_{side}" for target in TARGETS for side in ("own", "rest")]
    table = pd.DataFrame(branches, columns=["id", *names])
    tables.write_results(folder / "branches.csv", table.sort_values("id"))
    save_file(dict(sorted(attention.items())), folder / "attention.safetensors")


def plan(config: Config, folds: list[int], turns: Path, work: Path) -> list[Fold]:
    """One unit a fold; validation on the next fold, cyclic."""
    if len(folds) < 3:
        raise ValueError(
            f"data/manifest/affect/corpus.json: {len(folds)} folds, but test, validation and training need 3"
        )
    following = folds[1:] + folds[:1]
    return [
        Fold(test=test, val=val, config=config, turns=turns, out=work / f"fold_{test}")
        for test, val in zip(folds, following, strict=True)
    ]


def main() -> None:
    config = cli.configured(__doc__, configure, summary)
    device = runtime.setup(config.seed, config.compute)
    table = labels.read("affect")
    if table[list(TARGETS)].isna().all().any():
        raise ValueError("data/manifest/affect/labels.csv: no valence or no arousal; corpora.affect needs both")

    trained, state = checkpoint.load(FUSION)
    fusion = build_fusion(**trained["architecture"])
    fusion.load_state_dict(state)
    inputs = TurnInputs(fusion=fusion, audio=trained["architecture"]["audio"], names=config.va.inputs)
    with whole_folder(WORK / "turns") as folder:
        embed_turns(inputs, sorted(table.id), folder / "features", device)
    turns = WORK / "turns" / "features"

    work = WORK / work_key(config, turns, device)
    folds = plan(config, labels.read_facts("affect").folds, turns, work)
    finished = sum(fold.out.is_dir() for fold in folds)
    print(f"va: {len(folds)} folds" + (f", {finished} finished before" if finished else ""))
    for _ in parallel(train_fold, folds, config.compute, "folds"):
        pass
    with whole_folder(OUT) as folder:
        for fold in folds:
            shutil.move(fold.out, folder / fold.out.name)
    shutil.rmtree(WORK)


def work_key(config: Config, turns: Path, device: torch.device) -> str:
    """Names the folder of finished folds by all that they depend on, so that stale ones are never taken over."""
    digest = hashlib.blake2b(digest_size=16)
    parts = [config.seed, config.heads, json.dumps(asdict(config.va)), device.type, source_digest("stages.va")]
    digest.update(repr(parts).encode())
    for file in [*sorted(turns.iterdir()), Path("data/manifest/affect/labels.csv")]:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()


def summary(config: Config) -> dict:
    """Parameter counts, for the sizes of WavLM base, eGeMAPSv02, ECAPA-TDNN and a fused embedding of 128."""
    sizes = {"speech": 768, "prosody": 88, "speaker": 192, "fused": 128}
    model = VAModel(**architecture(config, sizes))
    parts = {"film": model.film, "attention": model.attention, "prosody": model.prosody, "heads": model.heads}
    return freeze.summarize(model, parts, rest="projections")


def _targets(rows: pd.DataFrame) -> torch.Tensor:
    return torch.tensor(rows[list(TARGETS)].to_numpy(), dtype=torch.float32)


if __name__ == "__main__":
    cli.run(main)
