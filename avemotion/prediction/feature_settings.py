"""Settings of the features that models were trained on, from their checkpoints, and the extractors that these make."""

from pathlib import Path
from typing import Any

from avemotion.extraction import extraction
from avemotion.extraction.extraction import Extractor
from avemotion.models.speech import pretrained, strict_loading
from avemotion.scoring.results import MODELS
from avemotion.system import plugins
from avemotion.training.common import checkpoint

FEATURES = "avemotion.features"
Settings = dict[str, Any]  # of one extractor, from extraction.settings


def extractor(kind: str, of: Settings, device: str) -> Extractor:
    """The extractor of a kind.

    Raises:
        ValueError: its settings are those of another version.
    """
    try:
        return plugins.load(FEATURES, kind).restore(_absolute(of), device)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{MODELS}: {checkpoint.OUTDATED}: its {kind} features cannot be made ({error})") from error


def changed(settings: dict[str, Settings], file: Path) -> list[str]:
    """Feature kinds whose settings in the params file differ from those of the models."""
    now = {kind: extraction.settings(plugins.load(FEATURES, kind).configure(file, "emotion")) for kind in settings}
    return [kind for kind, of in settings.items() if _plain(_unpinned(of, now[kind])) != _plain(now[kind])]


def join(settings: dict[str, Settings], more: dict[str, Settings]) -> None:
    """Add more to settings.

    Raises:
        ValueError: a kind has different settings in both.
    """
    for kind, of in more.items():
        if _plain(settings.setdefault(kind, of)) != _plain(of):
            raise ValueError(
                f"{MODELS}: fusion and va were trained on different {kind} features: params changed between them; "
                "run `dvc repro`"
            )


def _absolute(of: Settings) -> Settings:
    """Settings with the places of weights as absolute paths, because extractors open them at their first recording."""
    places = (("speech", "model"), ("params", "source"), ("params", "detector_model"))
    found = {(section, name): of.get(section, {}).get(name) for section, name in places}
    settings = dict(of)
    for (section, name), value in found.items():
        if value and value not in pretrained.CONFIGS and Path(value).exists():
            settings[section] = of[section] | {name: str(Path(value).absolute())}
    return settings


def _unpinned(of: Settings, now: Settings) -> Settings:
    """Settings without the revision of a pretrained encoder where the params name none."""
    for section in ("speech", "vision"):
        if section in of and not strict_loading.split(now[section]["model"] or "")[1]:
            of = of | {section: of[section] | {"model": strict_loading.split(of[section]["model"])[0]}}
    return of


def _plain(settings: Settings) -> Settings:
    """Settings without the noise of further views, because new recordings have the clean view only."""
    return {name: value for name, value in settings.items() if name != "noise"}
