"""Stage pretrain_face: trains the face encoder on the stills of the role faces.

The encoder of video.encoder: face starts from these weights (pretrain_video.start: face). Without corpora.faces there
is nothing to train. Beside the weights it writes its history, the predictions of held-out pictures and their scores.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avemotion.params.pretrain_face import Config, configure
from avemotion.system import cli

if TYPE_CHECKING:
    import torch

    from avemotion.models.encoders.face_encoder import VideoFace
    from avemotion.training.face.still_batches import StillBatch

OUT = Path("data/models/pretrain_face")


def train(config: Config, folder: Path) -> None:
    """Train, select and predict; writes all results into folder."""
    import torch
    import torch.nn.functional as F

    from avemotion.formats import labels
    from avemotion.formats.feature_store import FeatureStore
    from avemotion.models.encoders.face_encoder import standardise
    from avemotion.scoring.metrics import macro_f1
    from avemotion.system.seeds import seed_for
    from avemotion.training.common import run
    from avemotion.training.common.loop import Phase, Task, fit
    from avemotion.training.emotion.class_loss import ClassLoss
    from avemotion.training.emotion.classifier import HELD_OUT
    from avemotion.training.face import held_out, still_batches, still_sets

    p = config.pretrain
    this = run.start(OUT.name, config.seed, config.compute, None, folder)
    classes, store = labels.read_facts("faces").classes, FeatureStore(Path("data/features/frames/faces"))
    sets = still_sets.read(labels.read("faces"), classes, store)
    training, validation = sets["train"], sets["val"]
    model = build(config, len(classes))
    model.to(this.device, memory_format=torch.channels_last)  # faster on a CPU than the default
    criterion = ClassLoss(p.loss, p.label_smoothing, training.targets)

    def batches(epoch: int) -> "Iterator[StillBatch]":
        order = still_sets.order(training.targets, epoch, this.seed, balanced=p.sampling == "balanced")
        seed = seed_for(this.seed, "stills", epoch)
        return training.training(order, p.size(epoch), config.augment, p.batch_size, seed)

    def loss(batch: "StillBatch") -> "torch.Tensor":
        pictures = standardise(batch.pictures).masked_fill(batch.erased, 0.0).to(this.device)
        embedding = F.dropout(model.of_pictures(pictures), p.dropout, model.training)
        return criterion(model.classifier(embedding).float(), batch.target.to(this.device))

    def logits(some: still_batches.Stills) -> "torch.Tensor":
        parts = (standardise(pictures).to(this.device) for pictures in some.evaluation(p.batch_size))
        return torch.cat([model.classifier(model.of_pictures(part)).float().cpu() for part in parts])

    def validate() -> dict[str, float]:
        scores, truth = logits(validation), validation.targets
        score = macro_f1(truth.numpy(), scores.argmax(-1).numpy())
        return {"loss": F.cross_entropy(scores, truth).item(), "score": score}

    phase = Phase(name="train", epochs=p.epochs, prepare=lambda: [{"params": list(model.parameters()), "lr": p.lr}])
    task = Task(batches=batches, loss=loss, validate=validate, label=OUT.name, resume=this.resume)
    history = fit(model, task, [phase], p, this.device, this.curves)
    facts = {"classes": classes, "architecture": architecture(config), "features": {"frames": store.settings}}
    this.leave(model, facts, history)
    with torch.inference_mode():
        held_out.export(folder, classes, {part: (sets[part], logits(sets[part])) for part in HELD_OUT})


def architecture(config: Config) -> dict[str, Any]:
    """Arguments of build_video: a frame's embedding is the last stage's output."""
    return {"encoder": "face", "width": config.width, "stages": 1, "pooling": "mean"}


def build(config: Config, classes: int) -> "VideoFace":
    """The model with fresh weights."""
    from avemotion.models.encoders.face_encoder import VideoFace

    arguments = architecture(config)
    assert arguments.pop("encoder") == "face"
    return VideoFace(classes, **arguments)


def summary(config: Config, classes: int = 7) -> dict[str, Any]:
    """Numbers of parameters."""
    from avemotion.training.common import freeze

    model = build(config, classes)
    return freeze.summarize(model, {"classifier": model.classifier}, rest="encoder")


def main() -> None:
    config = cli.configured(__doc__, configure, summary)
    from avemotion.formats import labels
    from avemotion.system.outputs import alone, leave_reason

    with alone(OUT.name):
        if labels.read_facts("faces").absent:
            leave_reason(OUT, "corpora.faces names no corpus, so there is nothing to train")
            return
        from avemotion.system import runtime
        from avemotion.system.source_code import source_digest
        from avemotion.training.common import folds

        device, threads = runtime.device(config.compute.device).type, config.compute.threads
        parts = [replace(config, compute=None), device, threads, source_digest("stages.pretrain_face")]
        key = folds.key_of(parts, [Path("data/manifest/faces"), Path("data/features/frames/faces/index.json")])
        folds.train_whole(partial(train, config), key, Path("data/work") / OUT.name, OUT)


if __name__ == "__main__":
    cli.run(main, memory="pretrain_face.batch_size")
