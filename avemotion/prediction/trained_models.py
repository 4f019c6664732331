"""The trained models of a workspace, and the extractors of their features."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from avemotion.extraction.extraction import Extractor
from avemotion.formats import labels
from avemotion.formats.labels import CorpusFacts
from avemotion.formats.targets import USUAL
from avemotion.models.fusion.base import Fusion
from avemotion.models.fusion.build import build_fusion
from avemotion.models.va.model import VAModel, build_va
from avemotion.params.training.speech import SpeechParams
from avemotion.params.va import NormaliseParams
from avemotion.prediction import feature_settings
from avemotion.prediction.feature_settings import Settings
from avemotion.scoring.results import MODELS, stage_folders
from avemotion.training.common import checkpoint
from avemotion.training.va.turn_embeddings import TurnInputs, fusion_checksum, trained_inputs


@dataclass(frozen=True, kw_only=True)
class Models:
    """Trained models on one device, in eval mode. A role without a corpus has none."""

    emotion: CorpusFacts | None  # of the fusion's training corpus; None = there is no fusion model
    fusions: list[Fusion]  # one, or one per fold
    temperatures: list[float]  # of their calibration
    audio: dict[str, Any] | None  # arguments of the fusion's audio encoder; None = it has none
    affect: CorpusFacts | None  # None = there are no VA models
    va: dict[int, VAModel]  # by test fold
    by_speaker: list[str]  # inputs of the VA models that are standardised by the speaker's own turns
    fusion_by_speaker: list[str]  # kinds of features that the fusion models take so
    inputs: dict[int, TurnInputs]  # of each VA model; folds with the same fusion model have the same object
    settings: dict[str, Settings]  # feature kind -> settings of its extractor
    extractors: dict[str, Extractor]
    device: torch.device

    @property
    def targets(self) -> list[str]:
        """The targets of the VA models; the usual ones where there is no model."""
        return next((model.targets for model in self.va.values()), USUAL)

    @property
    def takes_speaker_statistics(self) -> bool:
        """Whether a model takes inputs relative to a speaker's own recordings."""
        return bool(self.by_speaker or self.fusion_by_speaker)

    @property
    def classes(self) -> list[str]:
        """Emotions in class-index order."""
        return self.emotion.classes if self.emotion else []


@dataclass(frozen=True, kw_only=True)
class _Half:
    """The models of one role, with the configs of their checkpoints."""

    facts: CorpusFacts | None
    configs: dict[str, dict[str, Any]]  # by fold
    models: dict[str, Any]


def load(device: torch.device, root: Path = Path()) -> Models:
    """The models in data/models/fusion and data/models/va; one of the two folders may be missing.

    Raises:
        ValueError: models are missing, damaged, or from different runs.
    """
    emotion = _half("emotion", "fusion", build_fusion, device, root)
    affect = _half("affect", "va", build_va, device, root)
    if emotion.facts is None and affect.facts is None:
        raise ValueError(f"{root / MODELS}: no model; run `dvc repro` to train them")
    settings: dict[str, Settings] = {}
    fusion_by_speaker: list[str] = []
    audio = None
    if emotion.facts is not None:
        first = next(iter(emotion.configs.values()))
        if first.get("classes") != emotion.facts.classes:
            raise ValueError(
                f"{root / MODELS / 'fusion'}: {checkpoint.OUTDATED}: its classes are not those of the manifest"
            )
        settings |= _entry(root / MODELS / "fusion", first, "features")
        audio, fusion_by_speaker = first["architecture"]["audio"], first.get("by_speaker", [])
    inputs: dict[int, TurnInputs] = {}
    by_speaker: list[str] = []
    if affect.facts is not None:
        first = next(iter(affect.configs.values()))
        feature_settings.join(settings, _entry(root / MODELS / "va", first, "features"))
        by_speaker = arrays_by_speaker(first)
        inputs = _inputs(affect.configs, SpeechParams(**settings["wavlm"]["speech"]), root)
    return Models(
        emotion=emotion.facts,
        fusions=list(emotion.models.values()),
        temperatures=[_entry(root / MODELS / "fusion", config, "temperature") for config in emotion.configs.values()],
        audio=audio,
        affect=affect.facts,
        va={int(fold): model for fold, model in affect.models.items()},
        by_speaker=by_speaker,
        fusion_by_speaker=fusion_by_speaker,
        inputs=inputs,
        settings=settings,
        extractors={kind: feature_settings.extractor(kind, of, str(device)) for kind, of in settings.items()},
        device=device,
    )


def _half(role: str, stage: str, build: Any, device: torch.device, root: Path) -> _Half:
    """The models of a stage. Without a corpus, or for va without its folder, there are none."""
    nothing = _Half(facts=None, configs={}, models={})
    if role == "affect" and not (root / MODELS / stage).is_dir():
        return nothing
    facts = labels.read_facts(role, root / "data/manifest")
    if facts.absent:
        return nothing
    folders = stage_folders(stage, facts.folds, root)
    rebuilt = {fold: checkpoint.rebuild(folder, build) for fold, folder in folders.items()}
    models = {fold: model.to(device).eval() for fold, (_, model) in rebuilt.items()}
    return _Half(facts=facts, configs={fold: config for fold, (config, _) in rebuilt.items()}, models=models)


def _entry(folder: Path, config: dict[str, Any], name: str) -> Any:
    if name not in config:
        raise ValueError(f"{folder}: {checkpoint.OUTDATED}: its model.json has no '{name}'")
    return config[name]


def _inputs(configs: dict[str, dict[str, Any]], speech: SpeechParams, root: Path) -> dict[int, TurnInputs]:
    """The turn inputs of the VA model of each fold; folds with the same fusion model get the same object."""
    by_fusion: dict[str | None, TurnInputs] = {}
    inputs = {}
    for fold, config in configs.items():
        fusion = _entry(MODELS / "va", config, "fusion")
        if fusion not in by_fusion:
            by_fusion[fusion] = turn_inputs(config, speech, None if fusion is None else root / fusion)
        inputs[int(fold)] = by_fusion[fusion]
    return inputs


def arrays_by_speaker(config: dict[str, Any]) -> list[str]:
    """The arrays of a turn that a VA model takes standardised by speaker, from its model.json."""
    return NormaliseParams(**_entry(MODELS / "va", config, "normalise")).by_speaker


def turn_inputs(config: dict[str, Any], speech: SpeechParams, fusion: Path | None) -> TurnInputs:
    """Models and settings behind the turns of a VA model.

    Args:
        config: model.json of the VA model. fusion: folder of the fusion model behind it.

    Raises:
        ValueError: the fusion model in the folder is not the one that the VA model was trained on.
    """
    trained_on = _entry(MODELS / "va", config, "fusion_checksum")
    if fusion is not None and fusion_checksum(fusion) != trained_on:
        raise ValueError(
            f"{MODELS / 'va'}: trained on another fusion model than the one in {fusion}, so valence and arousal would "
            "be wrong; run `dvc repro va`"
        )
    built, names = config["architecture"], _entry(MODELS / "va", config, "inputs")
    open_layers = built["top"]["layers"] if built["top"] else 0
    return trained_inputs(
        fusion,
        speech,
        names=names,
        speech_from=_entry(MODELS / "va", config, "speech_from"),
        open_layers=open_layers,
        layers=built["layers"] > 0,
    )
