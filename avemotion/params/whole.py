"""The whole of params.yaml as all stages read it; the stage check validates it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from avemotion.models.speech import lora
from avemotion.models.speech.pretrained import known_sizes
from avemotion.models.vision.backbones import known_blocks
from avemotion.params import (
    baseline,
    evaluate,
    features,
    fusion,
    manifest,
    pretrain_audio,
    pretrain_face,
    pretrain_video,
    sample,
    transfer,
    va,
    va_unused,
    xattn,
)
from avemotion.params.shared.corpora import ROLES
from avemotion.params.training import audio
from avemotion.parsing import registry
from avemotion.system import params_file

SAMPLES = ("ravdess", "iemocap")
IN_CHAIN = ("wavlm", "mel", "frames", "vision", "prosody", "speaker")  # features with a stage of their own in dvc.yaml
MEL_BANDS = 4  # fewest that audio.encoder cnn takes: its two poolings halve them
# The stages that train on a role, and the sections that only they read.
VISION = tuple(f"features_vision_{role}" for role in ROLES)
XATTN = [field.name for field in fields(xattn.XattnParams)]
HALVES = {
    "emotion": (
        ("pretrain_audio", "pretrain_video", "fusion", "baseline", "evaluate", *VISION),
        (
            *(
                "pretrain_audio",
                "pretrain_video",
                "fusion",
                "audio",
                "augment.audio",
                "augment.frames",
                "video.encoder",
            ),
            *("video.width", "video.stages", "video.temporal", "video.temporal_dim", "video.pooling"),
            *("vision", "features.vision"),
            *("baseline.emotion", "evaluate.speaker_logits"),
            *(f"xattn.{key}" for key in XATTN),
        ),
    ),
    "affect": (("va", "baseline"), ("va", "xattn.heads", "baseline.affect")),
}


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The config of every stage, and the keys that each stage reads."""

    file: Path
    manifest: manifest.Config
    pretrain_audio: pretrain_audio.Config
    pretrain_face: pretrain_face.Config
    pretrain_video: pretrain_video.Config
    fusion: fusion.Config
    va: va.Config
    baseline: baseline.Config
    features: Mapping[tuple[str, str], features.Config]  # by kind and role
    more_features: list[str]
    targets: Mapping[str, transfer.Config]  # by title, corpora.transfer
    keys: Mapping[str, list[str]]  # by stage


def read(file: Path) -> Whole:
    """Read every stage's params.

    Raises:
        ValueError: a value that a stage refuses, or a key that no stage reads.
    """
    keys: dict[str, list[str]] = {}

    def by(stage: str, configure: Callable[..., Any], *arguments: Any) -> Any:
        with params_file.recording() as recorded:
            config = configure(file, *arguments)
        keys[stage] = recorded
        return config

    by("sample", sample.configure, list(SAMPLES))
    by("evaluate", evaluate.configure)
    targets = by("transfer", transfer.configure_all)
    more_features = by("features_more", features.configure_more)
    cells = [(kind, role) for kind in features.kinds() for role in features.roles(kind)]
    whole = Whole(
        file=file,
        manifest=by("manifest", manifest.configure),
        features={cell: by("features_" + "_".join(cell), features.configure, *cell) for cell in cells},
        pretrain_audio=by("pretrain_audio", pretrain_audio.configure),
        pretrain_face=by("pretrain_face", pretrain_face.configure),
        pretrain_video=by("pretrain_video", pretrain_video.configure),
        fusion=by("fusion", fusion.configure),
        va=by("va", va.configure),
        baseline=by("baseline", baseline.configure),
        more_features=more_features,
        targets=targets,
        keys=keys,
    )
    _refuse_unread(file, {key for stage_keys in keys.values() for key in stage_keys})
    return whole


def _refuse_unread(file: Path, read: set[str]) -> None:
    unread = [key for key in _leaves(params_file.content(file)) if not any(_within(key, known) for known in read)]
    if unread:
        raise ValueError(f"{file}: {', '.join(unread)}: no stage reads this; correct the name or remove it")


def _leaves(section: Mapping[str, Any], above: str = "") -> list[str]:
    keys: list[str] = []
    for name, value in section.items():
        keys += _leaves(value, f"{above}{name}.") if isinstance(value, dict) and value else [f"{above}{name}"]
    return keys


def _within(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")


def _related(key: str, other: str) -> bool:
    return _within(key, other) or _within(other, key)


def refuse(whole: Whole) -> None:
    """Check values of different sections against each other.

    Raises:
        ValueError: a later stage would refuse the combination; the message names both values and the remedy.
    """
    faults = (_device_fault, _features_fault, _speech_fault, _lora_fault, _vision_fault, _views_fault, _mel_fault)
    for of in (*faults, _pooling_fault, _roles_fault):
        if fault := of(whole):
            raise ValueError(f"{whole.file}: {fault}")


def _device_fault(whole: Whole) -> str | None:
    """Only the form of the name: another machine may have other GPUs."""
    if re.fullmatch(r"auto|cpu|cuda(:\d+)?", whole.fusion.compute.device):
        return None
    return f"compute.device is {whole.fusion.compute.device!r}; choose auto, cpu, cuda or cuda:N"


def _features_fault(whole: Whole) -> str | None:
    if twice := sorted(set(whole.more_features) & set(IN_CHAIN)):
        return f"more_features names {', '.join(twice)}, which the chain extracts anyway; leave it out"
    return None


def _mel_fault(whole: Whole) -> str | None:
    encoder, mels = whole.fusion.audio.encoder, params_file.read(whole.file, "features.mel.mels", int)
    if "emotion" not in whole.manifest.corpora:
        return None
    if encoder == "cnn" and mels < MEL_BANDS:
        return (
            f"features.mel.mels is {mels}, but audio.encoder cnn takes {MEL_BANDS} or more; give more, or use resnet18"
        )
    seconds = params_file.read(whole.file, "features.mel.seconds", float | None)
    return audio.length_fault(encoder, seconds)


def _speech_fault(whole: Whole) -> str | None:
    speech, layers = whole.va.speech, whole.va.layers
    if (sizes := known_sizes(speech.model)) is None:
        return None  # a folder or another hub id: a later stage reads its config
    if speech.unfreeze_layers > sizes[0]:
        return f"speech.unfreeze_layers is {speech.unfreeze_layers}, but {speech.model} has {sizes[0]} layers"
    if max(layers, default=0) >= sizes[0]:
        return (
            f"features.wavlm.layers is {layers}, but {speech.model} has {sizes[0]} layers, the last of which is stored "
            f"anyway; give 0 to {sizes[0] - 1}"
        )
    return None


def _lora_fault(whole: Whole) -> str | None:
    trained = whole.pretrain_audio.wavlm_layers or whole.fusion.wavlm_layers
    return lora.missing(whole.fusion.audio.lora.rank) if trained and "emotion" in whole.manifest.corpora else None


def _vision_fault(whole: Whole) -> str | None:
    vision = whole.fusion.vision
    if whole.fusion.video.encoder != "vision" or vision.model is None:
        return None
    if (blocks := known_blocks(vision.model)) is not None and vision.unfreeze_layers > blocks:
        return f"vision.unfreeze_layers is {vision.unfreeze_layers}, but {vision.model} has {blocks} blocks to train"
    return None


def _views_fault(whole: Whole) -> str | None:
    if "emotion" not in whole.manifest.corpora:
        return None
    kind = audio.feature_kind(whole.fusion.audio.encoder)
    cached = whole.features[kind, "emotion"].extractor.views
    if unknown := sorted(set(whole.fusion.audio_augment.views) - set(cached)):
        return f"augment.audio.views names {', '.join(unknown)}, but views.emotion gives {', '.join(cached)}"
    return None


def _pooling_fault(whole: Whole) -> str | None:
    p, sizes = whole.va.va, known_sizes(whole.va.speech.model)
    if sizes is None or p.pooling != "multihead" or "va.pooling" in va_unused.unused(whole.va):
        return None
    width = sizes[1] * len(p.scales) if p.interaction == "concat" else p.dim
    if width % whole.va.attention_heads:
        heads = f"{whole.va.heads_key} is {whole.va.attention_heads}"
        return f"{heads}; va.pooling multihead needs it to divide {width} features"
    return None


def _roles_fault(whole: Whole) -> str | None:
    corpora = whole.manifest.corpora
    if "affect" not in corpora:
        return None
    name = str(corpora["affect"].name)
    corpus = registry.corpus(name)
    if corpus.stills or corpus.scale_of(whole.manifest.manifest.options(name)) is None:
        remedy = "state its scale in manifest.csv.scale"
        if name != "csv":
            remedy = f"use {', '.join(registry.with_ratings())} or csv"
        return f"corpora.affect.name is {name}, which has no {corpus.lacks_for_affect}; {remedy}"
    if "emotion" not in corpora and "fused" in whole.va.va.inputs:
        return "va.inputs names fused, but corpora.emotion names no corpus; leave fused out"
    return None


def without_effect(whole: Whole) -> dict[str, str]:
    """Params that change no result in the present combination: key -> reason.

    A param that several stages read is in the list only if none of them uses it.
    """
    unused = {
        "sample": _unused_sample(whole),
        "manifest": manifest.unused(whole.manifest),
        "pretrain_audio": pretrain_audio.unused(whole.pretrain_audio),
        "pretrain_face": pretrain_face.unused(whole.pretrain_face, whole.file),
        "pretrain_video": pretrain_video.unused(whole.pretrain_video),
        "fusion": fusion.unused(whole.fusion),
        "va": va_unused.unused(whole.va) | _unused_across(whole),
        **dict.fromkeys(VISION, _unused_vision(whole)),
    }
    for role, (stages, sections) in HALVES.items():
        if role not in whole.manifest.corpora:
            for stage in stages:
                unused[stage] = unused.get(stage, {}) | dict.fromkeys(sections, f"corpora.{role} names no corpus")
    noisy = any(len(config.extractor.views) > 1 for config in whole.features.values())
    for (kind, role), config in whole.features.items():
        stage = f"features_{kind}_{role}"
        of_kind = config.extractor.unused() if hasattr(config.extractor, "unused") else {}
        of_kind |= {} if noisy else {"views.seed": "views lists no noisy view"}
        unused[stage] = unused.get(stage, {}) | of_kind
    listed: dict[str, str] = {}
    for reasons in unused.values():
        for key, reason in reasons.items():
            readers = [stage for stage, keys in whole.keys.items() if any(_related(key, known) for known in keys)]
            if all(any(_within(key, other) for other in unused.get(stage, {})) for stage in readers):
                listed.setdefault(key, reason)
    nested = {key for key in listed if any(_within(key, other) and key != other for other in listed)}
    return {key: reason for key, reason in listed.items() if key not in nested}


def _unused_across(whole: Whole) -> dict[str, str]:
    """Params of the stage va whose effect depends on the fusion model."""
    reason = ""
    if "emotion" not in whole.manifest.corpora:
        reason = "corpora.emotion names no corpus"
    elif whole.fusion.audio.encoder != "wavlm":
        reason = f"audio.encoder is {whole.fusion.audio.encoder}"
    elif whole.fusion.fusion.mode == "video":
        reason = "fusion.mode is video"
    return {"va.speech_from": f"{reason}: speech comes from WavLM itself"} if reason else {}


def _unused_vision(whole: Whole) -> dict[str, str]:
    encoder = whole.fusion.video.encoder
    return {} if encoder == "vision" else dict.fromkeys(("vision", "features.vision"), f"video.encoder is {encoder}")


def _unused_sample(whole: Whole) -> dict[str, str]:
    roots = {Path(corpus.root).as_posix() for corpus in whole.manifest.corpora.values()}
    return {
        f"sample.{name}": f"no corpora.<role>.root is data/sample/{name}"
        for name in SAMPLES
        if f"data/sample/{name}" not in roots
    }
