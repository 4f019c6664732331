"""Stage va: trains models of valence, arousal and dominance of dialogue turns, one per fold.

The model of fold k is tested on fold k, validated on the next fold and trained on the others. A frozen fusion model
computes the fused embedding and the speech sequence of every turn. It is one model for all folds, or with
pretrain.per_fold the one of the same fold, which was not trained on the test speakers. Folds run in parallel worker
processes and give the same bytes as in sequence. After a kill, finished folds are not trained again. `--fold K` trains
one of them alone; the next whole run reuses it.
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avemotion.params.va import Config, configure
from avemotion.system import cli

if TYPE_CHECKING:
    import torch

    from avemotion.training.common.folds import Fold
    from avemotion.training.va.turn_batches import TurnBatch

OUT = Path("data/models/va")
WORK = Path("data/work/va")
FUSION = Path("data/models/fusion")


def train(config: Config, fusion: Path | None, turns: Path, fold: "Fold", folder: Path) -> None:
    """Train, select and predict one fold; writes all results into folder.

    Args:
        fusion: folder of the fusion model behind the turns; None where no input depends on one.
        turns: folder with the `features` of every turn and the weights of WavLM's last layers.
    """
    from avemotion.datasets.speaker_store import SpeakerStore
    from avemotion.formats import labels
    from avemotion.formats.feature_store import FeatureStore
    from avemotion.models.va.model import VAArchitecture, VAModel
    from avemotion.training.common import checkpoint, loop, run
    from avemotion.training.va import architecture, objective, turn_embeddings, va_exports
    from avemotion.training.va.losses import VALoss, Weights
    from avemotion.training.va.turn_batches import turn_dataset

    p, batching = config.va, architecture.batching(config.va)
    this = run.start(OUT.name, config.seed, config.compute, fold, folder)
    table = labels.read("affect")
    speakers = dict(zip(table["id"], table["speaker"], strict=True))
    store = SpeakerStore(FeatureStore(turns / "features"), p.normalise.by_speaker, speakers)
    rows = objective.fold_rows(table, p.targets, fold.test, fold.val, p.in_dialogues)
    silent = {name: part[part.id.isin(store.missing)] for name, part in rows.items()}
    rows = {name: part.drop(silent[name].index) for name, part in rows.items()}
    sets = {name: turn_dataset(store, part, p.targets, p.in_dialogues) for name, part in rows.items()}

    sizes = {name: store.dim(name)[0] for name in objective.INPUTS if name in store.arrays}
    layers = store.dim("layers")[0] if "layers" in store.arrays else 0
    arguments = architecture.architecture(config, sizes, layers)
    model = VAModel(VAArchitecture(**arguments))
    copied = None
    if model.top is not None:
        pretrained = checkpoint.read_weights(turns / "top.safetensors")
        source = fusion if p.speech_from == "fusion" else None
        copied = checkpoint.warm_start(model.top, pretrained, str(source or config.speech.model))
    objective.standardize(model, sets["train"])
    model.to(this.device)

    weights = Weights(ccc=p.ccc_weights, mse=p.mse)
    loss = objective.Objective(model, VALoss(weights, p.ccc_memory), this.device)
    shuffled = batching.training(sets["train"], this.seed)

    def epochs(epoch: int) -> "Iterable[TurnBatch]":
        loss.teacher_share = objective.teacher_share(p.state.feedback, epoch, p.epochs)
        return shuffled(epoch)

    task = loop.Task(
        batches=epochs,
        loss=loss,
        validate=lambda: objective.validate(model, sets["val"], weights, batching, this.device),
        label=f"fold {fold.test}",
        resume=this.resume,
        memory=loss,
    )
    phases = [loop.Phase(name="train", epochs=p.epochs, prepare=lambda: objective.groups(model, p))]
    history = loop.fit(model, task, phases, p, this.device, this.curves)
    facts = {"inputs": p.inputs, "speech_from": p.speech_from, "features": store.facts["features"]}
    facts |= {"normalise": asdict(p.normalise)}
    facts |= {"fusion": None, "fusion_checksum": None, "warm_start": copied}
    if fusion is not None:
        facts |= {"fusion": fusion.as_posix(), "fusion_checksum": turn_embeddings.fusion_checksum(fusion)}
    if "by_speaker" in store.facts:
        facts["fusion_by_speaker"] = store.facts["by_speaker"]
    facts |= {"test_fold": fold.test, "validation_fold": fold.val}
    this.leave(model, {"architecture": arguments, **facts}, history)
    held_out = {name: sets[name] for name in ("val", "test")}
    va_exports.export(folder, model, held_out, {name: silent[name] for name in held_out}, batching, this.device)


def main() -> None:
    config, only = cli.configured_fold(__doc__, configure, summary)
    import shutil

    from avemotion.formats import labels, targets
    from avemotion.system import runtime
    from avemotion.system.outputs import alone, leave_reason
    from avemotion.system.source_code import source_digest
    from avemotion.training.common import folds
    from avemotion.training.va import objective

    corpus, emotion = labels.read_facts("affect"), labels.read_facts("emotion")
    if corpus.absent:
        leave_reason(OUT, "corpora.affect names no corpus, so there is nothing to train")
        return
    device = runtime.setup(config.seed, config.compute)
    table = labels.read("affect")
    targets.check(table, config.va.targets)
    for target, count in targets.unrated(table, config.va.targets).items():
        if count:
            print(f"{count} rated turns have no {target}; they count for the other targets", flush=True)
    plan = folds.plan(corpus)
    for fold in plan:  # reports faults of the rows before any work
        objective.fold_rows(table, config.va.targets, fold.test, fold.val, config.va.in_dialogues)

    with alone(OUT.name):
        speakers = dict(sorted(zip(table["id"], table["speaker"], strict=True)))
        depends = [Path("data/manifest/affect/labels.csv")]
        if emotion.per_fold:
            unit = partial(train_apart, config, speakers)
            depends += [FUSION, *Path("data/features").glob("*/affect/index.json")]  # it has the checksums of the rows
        else:
            fusion = folds.first(FUSION) if config.needs_fusion and not emotion.absent else None
            turns = WORK / "turns"
            prepare_turns(config, fusion, speakers, turns, device)
            unit = partial(train, config, fusion, turns)
            depends += [turns / "features" / "index.json", *turns.glob("top.safetensors")]
        parts = [replace(config, compute=None), device.type, source_digest("stages.va")]
        key = folds.key_of(parts, depends)
        if only is None:
            folds.train_all(unit, plan, key, WORK, OUT, config.compute)
        else:
            folds.train_alone(unit, plan, only, WORK / key, OUT)
            shutil.rmtree(WORK / "turns", ignore_errors=True)  # as large as the wavlm cache


def train_apart(config: Config, speakers: dict[str, str], fold: "Fold", folder: Path) -> None:
    """`train` with the turns of the fold's own fusion model.

    The turns are as large as the wavlm cache, so they are deleted after training.
    """
    import shutil

    from avemotion.system import runtime

    fusion, turns = FUSION / fold.name if config.needs_fusion else None, WORK / "turns" / fold.name
    prepare_turns(config, fusion, speakers, turns, runtime.setup(config.seed, config.compute, threads=1))
    train(config, fusion, turns, fold, folder)
    shutil.rmtree(turns)


def prepare_turns(
    config: Config, fusion: Path | None, speakers: dict[str, str], turns: Path, device: "torch.device"
) -> None:
    """Write into `turns` the inputs of every turn from a fusion model, and the weights of WavLM's trained layers.

    speakers: by turn.
    """
    from avemotion.formats.feature_store import FeatureStore
    from avemotion.system.outputs import whole_folder
    from avemotion.training.common import checkpoint
    from avemotion.training.va.turn_embeddings import embed_turns, trained_inputs

    p = config.va
    if fusion is None and "fused" in p.inputs:
        raise ValueError("va.inputs names fused, but corpora.emotion names no corpus; leave fused out")
    states = FeatureStore(Path("data/features/wavlm/affect"))
    inputs = trained_inputs(
        fusion,
        replace(config.speech, model=states.settings["speech"]["model"]),  # with the commit of the cached states
        names=p.inputs,
        speech_from=p.speech_from,
        open_layers=p.finetune_layers,
        layers=p.layers == "learned",
    )
    with whole_folder(turns) as folder:
        embed_turns(inputs, speakers, folder / "features", device)
        if p.finetune_layers:
            assert inputs.top is not None
            state = sorted(inputs.top.state_dict().items())
            weights = {name: value.detach().cpu().contiguous() for name, value in state}
            checkpoint.save_tensors(weights, folder / "top.safetensors")


def summary(config: Config) -> dict[str, Any]:
    """Numbers of parameters, for the configured WavLM, eGeMAPSv02, ECAPA-TDNN and a fused embedding of 128."""
    from avemotion.models.speech.pretrained import config_for
    from avemotion.models.va.model import VAArchitecture, VAModel
    from avemotion.training.common import freeze
    from avemotion.training.va.architecture import architecture

    sizes = {"speech": config_for(config.speech.model).hidden_size, "prosody": 88, "speaker": 192, "fused": 128}
    model = VAModel(VAArchitecture(**architecture(config, sizes, len(config.layers))))
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
    cli.run(main, memory="va.state.dialogues, va.state.chunk, va.batch_size or compute.workers")
