"""The trained models of a workspace, and the extractors that hear and see new recordings as in training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stages.lib.data import labels
from stages.lib.data.labels import CorpusFacts
from stages.lib.features import extraction, frames, mel, noise, prosody, speaker, wavlm
from stages.lib.features.extraction import Extractor
from stages.lib.models.fusion import Fusion, build_fusion
from stages.lib.models.va import VAModel
from stages.lib.models.wavlm import SpeechParams
from stages.lib.scoring.results import MODELS, stage_folders
from stages.lib.training import checkpoint
from stages.lib.training.turns import TurnInputs, trained_inputs

Settings = dict[str, Any]  # of one extractor, as extraction.settings gives them
QUIET = noise.NoiseViews(snrs=(), seed=0, recording="")  # the clean view alone


@dataclass(frozen=True, kw_only=True)
class Models:
    """All on one device and in eval mode."""

    emotion: CorpusFacts  # of the corpus that the fusion learned from
    fusions: list[Fusion]  # one, or one a fold
    audio: dict[str, Any] | None  # arguments of the fusion's audio encoder; None = it does not hear
    affect: CorpusFacts | None  # None = there are no V/A models
    va: dict[int, VAModel]  # by test fold
    inputs: dict[int, TurnInputs]  # of each; the same object where folds share a fusion model
    settings: dict[str, Settings]  # feature kind -> of its extractor
    extractors: dict[str, Extractor]
    device: torch.device


def load(device: torch.device, root: Path = Path()) -> Models:
    """The models in data/models/fusion and data/models/va; the latter may be absent as a whole.

    Raises:
        ValueError: models are missing, damaged or do not fit each other.
    """
    emotion, configs, fusions = labels.read_facts("emotion", root / "data/manifest"), [], []
    for folder in stage_folders("fusion", emotion.folds, root).values():
        config, model = checkpoint.rebuild(folder, build_fusion)
        configs.append(config)
        fusions.append(model.to(device).eval())
    first = configs[0]
    if first.get("classes") != emotion.classes:
        raise ValueError(
            f"{root / MODELS / 'fusion'}: {checkpoint.OUTDATED}: its classes are not those of the manifest"
        )
    settings = dict(_told(root / MODELS / "fusion", first, "features"))
    affect, va, inputs = None, {}, {}
    if (root / MODELS / "va").is_dir():
        affect = labels.read_facts("affect", root / "data/manifest")
        folders = stage_folders("va", affect.folds, root)
        trained = {int(fold): checkpoint.rebuild(folder, VAModel) for fold, folder in folders.items()}
        va = {fold: model.to(device).eval() for fold, (_, model) in trained.items()}
        config = next(iter(trained.values()))[0]
        _join(settings, _told(root / MODELS / "va", config, "features"))
        speech = SpeechParams(**settings["wavlm"]["speech"])
        sources = {fold: root / _told(folders[str(fold)], config, "fusion") for fold, (config, _) in trained.items()}
        behind = {source: _inputs(source, config, speech) for source in sorted(set(sources.values()))}
        inputs = {fold: behind[source] for fold, source in sources.items()}
    return Models(
        emotion=emotion,
        fusions=fusions,
        audio=first["architecture"]["audio"],
        affect=affect,
        va=va,
        inputs=inputs,
        settings=settings,
        extractors={kind: _extractor(kind, of, str(device)) for kind, of in settings.items()},
        device=device,
    )


def changed(settings: dict[str, Settings], file: Path) -> list[str]:
    """Feature kinds that the params file would extract otherwise than the models were trained on."""
    modules = {"wavlm": wavlm, "mel": mel, "frames": frames, "prosody": prosody, "speaker": speaker}
    now = {kind: _plain(extraction.settings(modules[kind].configure(file, "emotion"))) for kind in settings}
    return [kind for kind, of in settings.items() if _plain(of) != now[kind]]


def _told(folder: Path, config: dict, name: str) -> Any:
    if name not in config:
        raise ValueError(f"{folder}: {checkpoint.OUTDATED}: its model.json does not say '{name}'")
    return config[name]


def _extractor(kind: str, of: Settings, device: str) -> Extractor:
    try:
        return EXTRACTORS[kind](of, device)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{MODELS}: {checkpoint.OUTDATED}: its {kind} features cannot be made ({error})") from error


def _inputs(fusion: Path, config: dict, speech: SpeechParams) -> TurnInputs:
    """Args: config: of the V/A models, which differ in their weights alone."""
    built, names = config["architecture"], _told(MODELS / "va", config, "inputs")
    open_layers = built["top"]["layers"] if built["top"] else 0
    return trained_inputs(fusion, speech, names=names, open_layers=open_layers, layers=built["layers"] > 0)


def _join(settings: dict[str, Settings], more: dict[str, Settings]) -> None:
    """Put more into settings.

    Raises:
        ValueError: a kind is in both and not the same.
    """
    for kind, of in more.items():
        if _plain(settings.setdefault(kind, of)) != _plain(of):
            raise ValueError(
                f"{MODELS}: fusion and va were trained on different {kind} features: params changed between them; "
                "run `dvc repro`"
            )


def _plain(settings: Settings) -> Settings:
    """Without the noise of further views, which a new recording is not given."""
    return {name: value for name, value in settings.items() if name != "noise"}


EXTRACTORS: dict[str, Callable[[Settings, str], Extractor]] = {
    "wavlm": lambda of, device: wavlm.WavLMExtractor(
        params=wavlm.Params(**of["params"]), speech=SpeechParams(**of["speech"]), noise=QUIET, device=device
    ),
    "mel": lambda of, device: mel.MelExtractor(params=mel.Params(**of["params"]), noise=QUIET),
    "frames": lambda of, device: frames.FrameExtractor(params=frames.Params(**of["params"])),
    "prosody": lambda of, device: prosody.ProsodyExtractor(params=prosody.Params(**of["params"])),
    "speaker": lambda of, device: speaker.SpeakerExtractor(params=speaker.Params(**of["params"]), device=device),
}
