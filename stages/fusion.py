"""Stage fusion: trains the fusion of audio and video on the emotion corpus, from the pretrained models.
Prosody may be a third input.

Training has two phases: first the fusion and the classifiers over frozen encoders, then also the last layers of both
encoders, each with its own learning rate. The output of frozen video blocks is computed once. Modes audio,
video and late without epochs train nothing: they are the pretrained models with their classifiers.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avemotion.params.fusion import Config, configure
from avemotion.params.training.audio import feature_kind
from avemotion.system import cli

if TYPE_CHECKING:
    import torch

    from avemotion.datasets.clip_batches import Batch
    from avemotion.training.common.folds import Fold

OUT = Path("data/models/fusion")


def train(config: Config, fold: "Fold | None", folder: Path) -> None:
    """Train, select and predict on one split of the clips; writes all results into folder."""
    from avemotion.datasets.vision_rows import video_source
    from avemotion.models.fusion.build import build_fusion
    from avemotion.training.common import checkpoint, run
    from avemotion.training.emotion import audio_input, classifier
    from avemotion.training.fusion import fusion_exports, phases, prosody_input
    from avemotion.training.fusion.frozen_video import frozen_video
    from avemotion.training.video_start import start_vision, video_caches

    p = config.fusion
    this = run.start(OUT.name, config.seed, config.compute, fold, folder)
    data = classifier.EmotionData(fold)
    clean = audio_input.audio_source("emotion", config, data.speakers)
    noisy = audio_input.audio_source("emotion", config, data.speakers, config.audio_augment, this.seed)
    prosody = prosody_input.rows("emotion", data.speakers, p.normalise) if p.takes_prosody else None
    functionals = {} if prosody is None else {"functionals": prosody.size}
    caches = video_caches(config.video, "emotion")
    arguments = phases.architecture(config, len(data.classes), caches, audio_input.mel_bands(clean), **functionals)
    model = build_fusion(**arguments)
    if prosody is not None:
        prosody_input.standardize(model, prosody, data.ids("train"))

    copied = {}
    for name, part in (("audio", model.audio), ("video", model.video)):
        if part is not None and name in p.warm_start:
            source = Path(getattr(p, f"{name}_checkpoint"))
            copied[name] = checkpoint.warm_start_from(source, part, data.classes, fold.name if fold else None)
    if not p.head_epochs + p.epochs:
        for name, weights in copied.items():
            phases.refuse_untrained(name, weights["missing"])
    if model.audio is not None and "audio" not in p.warm_start:
        speech = audio_input.cached_speech(clean, config.speech)
        audio_input.start(model.audio, speech, (clean(clip, None) for clip in data.ids("train")))
    adapters = audio_input.adapters(model.audio, config)
    model.to(this.device)

    video = None
    if model.video is not None:
        augmented = video_source(model.video, caches, replace(config.frame_augment, draw=None), this.seed)
        if "video" not in p.warm_start:
            start_vision(model.video, (augmented(clip, None) for clip in data.ids("train")))
        video = frozen_video(model.video, augmented, data, config.open_blocks, config.video_views, this.device)
    sets = data.datasets(training=(noisy, video), held_out=(clean, video), prosody=prosody)

    def logits(batch: "Batch") -> "torch.Tensor":
        return model(*batch.inputs).logits

    def weighted_logits(batch: "Batch") -> "list[tuple[float, torch.Tensor]]":
        output = model(*batch.inputs)
        return [(1.0, output.logits), *((p.unimodal_loss, part) for part in output.parts)]

    training = classifier.ClipTraining(
        model=model,
        logits=logits,
        sets=sets,
        weighted_logits=weighted_logits if arguments["options"].get("unimodal_loss") else None,
        phases=phases.phases(model, config),
        params=replace(p, label_smoothing=p.smoothing),
        shares=data.shares(),
        adapters=adapters,
    )
    history = classifier.train(training, this)
    features = {feature_kind(arguments["audio"]["encoder"]): clean.store.settings} if model.audio is not None else {}
    features |= {kind: store.settings for kind, store in caches.items()} if model.video is not None else {}
    features |= {"prosody": prosody.store.settings} if prosody is not None else {}
    held_out = fusion_exports.HeldOut(
        classes=data.classes,
        sets={split: sets[split] for split in classifier.HELD_OUT},
        harder=fusion_exports.conditions(model, data, clean, video, prosody),
        clock=clean.clock,
        frames=caches["frames"],
    )
    predicted = fusion_exports.export(folder, model, held_out, p.batch_size, this.device)
    facts = {"classes": data.classes, "architecture": arguments, "features": features, "warm_start": copied}
    if config.by_speaker:
        facts["by_speaker"] = config.by_speaker
    this.leave(model, facts | {"temperature": classifier.fit_temperature(predicted, data.classes)}, history)


def summary(config: Config, classes: int = 8) -> dict[str, Any]:
    """Numbers of parameters in the last phase."""
    from avemotion.models.fusion.build import build_fusion
    from avemotion.training.common import freeze
    from avemotion.training.emotion.audio_input import adapters, cached_parameters
    from avemotion.training.fusion import phases
    from avemotion.training.video_start import cached_blocks

    model = build_fusion(**phases.architecture(config, classes))
    cached = {"wavlm_below_boundary": cached_parameters(model.audio, config.speech)}
    cached["vision_below_boundary"] = cached_blocks(model.video)
    adapters(model.audio, config)
    for phase in phases.phases(model, config)[-1:]:
        phase.prepare()
    return freeze.summarize(model, {"audio": model.audio, "video": model.video}, rest="fusion", cached=cached)


def main() -> None:
    config = cli.configured(__doc__, configure, summary)
    from avemotion.training.emotion.classifier import train_splits

    inputs = [Path(config.fusion.audio_checkpoint), Path(config.fusion.video_checkpoint)]
    train_splits(partial(train, config), config, "stages.fusion", OUT, inputs)


if __name__ == "__main__":
    cli.run(main, memory="fusion.batch_size")
