"""Stage pretrain_audio: trains the audio model on the emotion corpus.

A mel encoder is trained as a whole. WavLM is trained in two phases, from the cached input of its last layers: first the
classifier alone, then also those layers, with a lower learning rate.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avemotion.params.pretrain_audio import Config, configure
from avemotion.system import cli

if TYPE_CHECKING:
    import torch

    from avemotion.datasets.clip_batches import Batch
    from avemotion.models.encoders.audio_model import AudioModel
    from avemotion.training.common.folds import Fold
    from avemotion.training.common.loop import Phase

OUT = Path("data/models/pretrain_audio")


def train(config: Config, fold: "Fold | None", folder: Path) -> None:
    """Train, select and predict on one split of the clips; writes all results into folder."""
    from avemotion.models.encoders.audio_encoders import build_audio
    from avemotion.training.common import checkpoint, run
    from avemotion.training.emotion import audio_input, classifier

    p = config.pretrain
    this = run.start(OUT.name, config.seed, config.compute, fold, folder)
    data = classifier.EmotionData(fold)
    clean = audio_input.audio_source("emotion", config, data.speakers)
    augmented = audio_input.audio_source("emotion", config, data.speakers, config.augment, this.seed)
    sets = data.datasets(training=(augmented, None), held_out=(clean, None))

    arguments = audio_input.audio_arguments(config, audio_input.mel_bands(clean))
    model = build_audio(len(data.classes), arguments)
    speech = audio_input.cached_speech(clean, config.speech)
    audio_input.start(model, speech, (clean(clip, None) for clip in data.ids("train")))
    source = Path(p.checkpoint)
    copied = {}
    if source != checkpoint.NONE:
        name = fold.name if fold else None
        copied = {"warm_start": checkpoint.warm_start_from(source, model, data.classes, name)}
    adapters = audio_input.adapters(model, config)
    model.to(this.device)

    def logits(batch: "Batch") -> "torch.Tensor":
        return model(batch.audio, batch.audio_mask)

    training = classifier.ClipTraining(
        model=model,
        logits=logits,
        sets=sets,
        phases=phases(model, config),
        params=p,
        shares=data.shares(),
        adapters=adapters,
    )
    by_speaker = {"by_speaker": config.audio.by_speaker} if config.audio.by_speaker else {}
    classifier.train_unimodal(training, data.classes, {"audio": arguments, **copied, **by_speaker}, this)


def phases(model: "AudioModel", config: Config) -> "list[Phase]":
    """The phases of training with their trained weights and learning rates."""
    from avemotion.models.encoders.audio_model import MelEncoder
    from avemotion.training.common import freeze
    from avemotion.training.common.loop import Phase

    p = config.pretrain
    head, encoder = model.head_parameters(), model.encoder_parameters(config.wavlm_layers)
    whole = isinstance(model, MelEncoder) or not encoder

    def train_head() -> list[dict[str, Any]]:
        freeze.train_only(model, head)
        return [{"params": head, "lr": p.lr}]

    def train_all() -> list[dict[str, Any]]:
        freeze.train_only(model, head + encoder)
        groups = [{"params": head, "lr": p.lr}, {"params": encoder, "lr": p.lr if whole else p.encoder_lr}]
        return [group for group in groups if group["params"]]

    if whole:
        return [Phase(name="train", epochs=p.epochs, prepare=train_all)]
    finetune = Phase(name="finetune", epochs=p.epochs, prepare=train_all)
    if not p.head_epochs:
        return [finetune]
    return [Phase(name="head", epochs=p.head_epochs, prepare=train_head), finetune]


def summary(config: Config, classes: int = 8) -> dict[str, Any]:
    """Numbers of parameters in the last phase."""
    from avemotion.models.encoders.audio_encoders import build_audio
    from avemotion.training.common import freeze
    from avemotion.training.emotion.audio_input import adapters, audio_arguments, cached_parameters

    model = build_audio(classes, audio_arguments(config))
    cached = {"wavlm_below_boundary": cached_parameters(model, config.speech)}
    adapters(model, config)
    phases(model, config)[-1].prepare()
    return freeze.summarize(model, {"classifier": model.classifier}, rest="encoder", cached=cached)


def main() -> None:
    config = cli.configured(__doc__, configure, summary)
    from avemotion.training.emotion.classifier import train_splits

    train_splits(partial(train, config), config, "stages.pretrain_audio", OUT, [Path(config.pretrain.checkpoint)])


if __name__ == "__main__":
    cli.run(main, memory="pretrain_audio.batch_size")
