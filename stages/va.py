"""Stage va: valence and arousal of dialogue turns, one model a fold.

Fold k is tested on session k, validated on the next one and trained on the rest. The fusion model supplies the
fused embedding and the speech sequence of every turn: one for all folds, or with pretrain.per_fold that of the same
fold, which knows none of its test speakers. Folds run side by side in worker processes and give the same bytes as one
after another; after a kill, finished folds are not trained again.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from stages.lib import cli, params, runtime
from stages.lib.compute import ComputeParams, seed_for
from stages.lib.data import labels, tables
from stages.lib.data.turns import TARGETS, TurnBatch, turn_dataset
from stages.lib.features.store import FeatureStore
from stages.lib.models.va import VAModel
from stages.lib.models.wavlm import SpeechParams, config_for
from stages.lib.outputs import alone, whole_folder
from stages.lib.scoring.metrics import ccc
from stages.lib.source_code import source_digest
from stages.lib.training import affect, checkpoint, folds, freeze, live, loop, va_exports
from stages.lib.training.folds import Fold
from stages.lib.training.losses import VALoss, va_loss
from stages.lib.training.turns import embed_turns, trained_inputs
from stages.lib.training.va_params import VAParams, architecture

OUT = Path("data/models/va")
WORK = Path("data/work/va")
FUSION = Path("data/models/fusion")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this stage reads from params.yaml."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    attention_heads: int
    layers: list[int]  # in the wavlm cache, beside the last
    va: VAParams


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    config = Config(
        seed=params.read(file, "seed", int),
        compute=params.read(file, "compute", ComputeParams),
        speech=params.read(file, "speech", SpeechParams),
        attention_heads=params.read(file, "xattn.heads", int),
        layers=params.read(file, "features.wavlm.layers", list[int]),
        va=params.read(file, "va", VAParams),
    )
    p = config.va
    if config.attention_heads < 1 or p.dim % config.attention_heads:
        raise ValueError(f"{file}: xattn.heads is {config.attention_heads}; it must divide va.dim ({p.dim})")
    if not 0 <= p.finetune_layers <= config.speech.unfreeze_layers:
        raise ValueError(
            f"{file}: va.finetune_layers is {p.finetune_layers}; give 0 to speech.unfreeze_layers "
            f"({config.speech.unfreeze_layers}): the cache holds what enters those"
        )
    if p.layers == "learned" and not config.layers:
        raise ValueError(
            f"{file}: va.layers is learned, but features.wavlm.layers is empty; list layers to weigh there"
        )
    return config


def train(config: Config, fusion: Path, turns: Path, fold: Fold, folder: Path) -> None:
    """Train, select and predict one fold; leaves everything in folder.

    Args:
        fusion: folder of the fusion model behind the turns.
        turns: folder of every turn's `features` and of the weights of WavLM's last layers.
    """
    p, seed = config.va, seed_for(config.seed, "fold", fold.test)
    device = runtime.setup(seed, config.compute, threads=1)
    store = FeatureStore(turns / "features")
    rows = affect.fold_rows(labels.read("affect"), fold.test, fold.val, p.in_dialogues)
    silent = {name: part[part.id.isin(store.missing)] for name, part in rows.items()}
    rows = {name: part.drop(silent[name].index) for name, part in rows.items()}
    sets = {name: turn_dataset(store, part, p.in_dialogues) for name, part in rows.items()}

    sizes = {name: store.dim(name)[0] for name in affect.INPUTS if name in store.arrays}
    layers = store.dim("layers")[0] if "layers" in store.arrays else 0
    arguments = architecture(p, config.attention_heads, config.speech.model, sizes, layers)
    model = VAModel(**arguments)
    taken = None
    if model.top is not None:
        taken = checkpoint.warm_start(model.top, checkpoint.read_weights(turns / "top.safetensors"), str(fusion))
    affect.standardize(model, sets["train"])
    model.to(device)

    weights = {"valence": p.valence, "arousal": p.arousal, "mse": p.mse}
    loss = affect.Objective(model, VALoss(**weights, memory=p.ccc_memory), device)
    shuffled = p.batching.training(sets["train"], seed)

    def epochs(epoch: int) -> Iterable[TurnBatch]:
        loss.teacher_share = affect.teacher_share(p.state.feedback, epoch, p.epochs)
        return shuffled(epoch)

    def validate() -> dict[str, float]:
        prediction, truth = affect.predictions(model, sets["val"], p.batching, device)
        scores = [
            ccc(truth[known, k].numpy(), prediction[known, k].numpy()) for k, known in enumerate(~truth.isnan().T)
        ]
        return {"loss": va_loss(prediction, truth, **weights).item(), "score": sum(scores) / len(scores)}

    phases = [loop.Phase(name="train", epochs=p.epochs, prepare=lambda: groups(model, p))]
    history = loop.fit(
        model, phases, epochs, loss, validate, p, device, f"fold {fold.test}", live.path(OUT.name, fold.name)
    )
    facts = {"inputs": p.inputs, "features": store.facts["features"], "fusion": fusion.as_posix(), "warm_start": taken}
    facts |= {"test_fold": fold.test, "validation_fold": fold.val}
    checkpoint.save(folder, model, {"architecture": arguments, **facts})
    tables.write_results(folder / "history.csv", history)
    held_out = {name: sets[name] for name in ("val", "test")}
    va_exports.export(folder, model, held_out, {name: silent[name] for name in held_out}, p.batching, device)


def groups(model: VAModel, p: VAParams) -> list[dict]:
    """Learning rates: that of WavLM's open layers, and that of all else."""
    encoder = [q for q in model.top.parameters() if q.requires_grad] if model.top is not None else []
    theirs = {id(q) for q in encoder}
    rest = [q for q in model.parameters() if q.requires_grad and id(q) not in theirs]
    return [
        group for group in ({"params": rest, "lr": p.lr}, {"params": encoder, "lr": p.encoder_lr}) if group["params"]
    ]


def main() -> None:
    config = cli.configured(__doc__, configure, summary)
    device = runtime.setup(config.seed, config.compute)
    table = labels.read("affect")
    if table[TARGETS].isna().all().any():
        raise ValueError("data/manifest/affect/labels.csv: no valence or no arousal; corpora.affect needs both")
    plan = folds.cyclic(labels.read_facts("affect").folds)
    for fold in plan:  # what is wrong with the rows is said before any work
        affect.fold_rows(table, fold.test, fold.val, config.va.in_dialogues)

    with alone(OUT.name):
        ids, depends = sorted(table.id), [Path("data/manifest/affect/labels.csv")]
        if labels.read_facts("emotion").per_fold:
            unit = partial(train_apart, config, ids)
            depends += [FUSION, *Path("data/features").glob("*/affect/index.json")]  # it holds the rows' checksums
        else:
            fusion, turns = folds.first(FUSION), WORK / "turns"
            prepare_turns(config, fusion, ids, turns, device)
            unit = partial(train, config, fusion, turns)
            depends += [turns / "features" / "index.json", *turns.glob("top.safetensors")]
        parts = [replace(config, compute=None), device.type, source_digest("stages.va")]
        folds.train_all(unit, plan, folds.key_of(parts, depends), WORK, OUT, config.compute)


def train_apart(config: Config, ids: list[str], fold: Fold, folder: Path) -> None:
    """`train` with turns of its own, by the fusion model of the same fold.

    They are as large as the wavlm cache, so they are there only while their fold trains.
    """
    fusion, turns = FUSION / fold.name, WORK / "turns" / fold.name
    prepare_turns(config, fusion, ids, turns, runtime.setup(config.seed, config.compute, threads=1))
    train(config, fusion, turns, fold, folder)
    shutil.rmtree(turns)


def prepare_turns(config: Config, fusion: Path, ids: list[str], turns: Path, device: torch.device) -> None:
    """Leave every turn's inputs by a fusion model in `turns`, and the WavLM layers that the folds train further."""
    p = config.va
    inputs = trained_inputs(
        fusion, config.speech, names=p.inputs, open_layers=p.finetune_layers, layers=p.layers == "learned"
    )
    with whole_folder(turns) as folder:
        embed_turns(inputs, ids, folder / "features", device)
        if p.finetune_layers:
            state = sorted(inputs.top.state_dict().items())
            weights = {name: value.detach().cpu().contiguous() for name, value in state}
            checkpoint.save_tensors(weights, folder / "top.safetensors")


def summary(config: Config) -> dict:
    """Parameter counts, for the configured WavLM, eGeMAPSv02, ECAPA-TDNN and a fused embedding of 128."""
    sizes = {"speech": config_for(config.speech.model).hidden_size, "prosody": 88, "speaker": 192, "fused": 128}
    built = architecture(config.va, config.attention_heads, config.speech.model, sizes, len(config.layers))
    model = VAModel(**built)
    parts = {
        "wavlm": model.top,
        "film": model.film,
        "interaction": model.interaction,
        "prosody": model.prosody,
        "state": model.state,
        "heads": model.heads,
    }
    return freeze.summarize(model, parts, rest="projections")


if __name__ == "__main__":
    cli.run(main)
