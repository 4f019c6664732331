"""Presets against the documents that they reproduce: every value, and the published numbers of parameters."""

from pathlib import Path

import pytest
import yaml
from project_params import REPO

from avemotion.params import whole
from avemotion.sweep import recipes
from stages import fusion, pretrain_audio, va

SOURCES = yaml.safe_load(Path(__file__).with_name("sources.yaml").read_text(encoding="utf-8"))["recipes"]
HALVES = {"affect_only", "emotion_only"}  # presets that switch off one half of the chain; no document has them
OWN = {  # this project's own: its sections
    "films": ("features.frames", "video", "augment.stills", "pretrain_face", "pretrain_video"),
    "ravdess_sound": ("features.mel", "audio", "augment.audio", "pretrain_audio"),
}


def applied(folder: Path, *names: str) -> Path:
    """params.yaml with presets."""
    params = recipes.load(REPO / "params.yaml")
    for name in names:
        recipes.apply(params, recipes.recipe(name))
    file = folder / "params.yaml"
    recipes.write(file, params)
    return file


def leaves(content: dict, keys: set[str], place: str = "") -> dict[str, object]:
    """Values by dotted key; a key in `keys` may hold a section."""
    found: dict[str, object] = {}
    for name, value in content.items():
        key = f"{place}{name}"
        found |= leaves(value, keys, f"{key}.") if isinstance(value, dict) and key not in keys else {key: value}
    return found


def test_every_recipe_of_the_documents_is_a_preset_and_the_other_way_round():
    assert {file.stem for file in (REPO / "presets").glob("*.yaml")} == set(SOURCES) | HALVES | set(OWN)


@pytest.mark.parametrize("name", SOURCES)
def test_a_preset_gives_every_value_of_its_source(tmp_path, name):
    """And sets each of them itself, so that no default of params.yaml can change a recipe."""
    document, chosen = SOURCES[name]["document"], SOURCES[name]["chosen"]
    assert not document.keys() & chosen.keys()
    expected = document | chosen
    params = leaves(yaml.safe_load(applied(tmp_path, name).read_text(encoding="utf-8")), set(expected))
    assert {key: params.get(key, "missing") for key in expected} == expected
    own = yaml.safe_load((REPO / f"presets/{name}.yaml").read_text(encoding="utf-8"))
    assert leaves(own, set(expected)).keys() == expected.keys()


@pytest.mark.parametrize("name", SOURCES)
def test_the_value_of_a_preset_has_an_effect(tmp_path, name):
    """Besides features of both roles, whose extraction needs values whatever the model uses."""
    settings = whole.read(applied(tmp_path, name))
    whole.refuse(settings)
    unused = set(whole.without_effect(settings)) & (SOURCES[name]["document"] | SOURCES[name]["chosen"]).keys()
    shared = {"speech.unfreeze_layers", "fusion.video_views"}
    assert not {key for key in unused if not key.startswith(("augment.", "features."))} - shared


@pytest.mark.parametrize("name", OWN)
def test_an_own_recipe_sets_every_value_of_its_sections_that_has_an_effect(tmp_path, name):
    """And no other."""
    file = applied(tmp_path, name)
    settings = whole.read(file)
    whole.refuse(settings)
    own = leaves(yaml.safe_load((REPO / f"presets/{name}.yaml").read_text(encoding="utf-8")), set())
    assert not own.keys() & whole.without_effect(settings).keys()
    for section in OWN[name]:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        for part in section.split("."):
            values = values[part]
        inside = leaves(values, set(), f"{section}.")
        idle = [key for key in inside if key.startswith(tuple(whole.without_effect(settings)))]
        assert [key for key in inside if key not in own and key not in idle] == []


CLASSES = {"corpus": 8, "coarse4": 4}
COUNTS = {  # preset -> stage, published count
    "mel_audio": (pretrain_audio, "total", 12_785_224),
    "audio_baseline": (pretrain_audio, "total", 12_785_224 - 4 * 129),  # four classes of 128 weights and a bias fewer
    "wavlm_two_stage": (pretrain_audio, "trainable", 14_773_552),
    "gated_wavlm": (fusion, "trainable", 12_239_193),
    "gated_eight": (fusion, "trainable", 24_263_833),
}


@pytest.mark.parametrize("name", COUNTS)
def test_published_numbers_of_parameters(tmp_path, name):
    stage, key, expected = COUNTS[name]
    config = stage.configure(applied(tmp_path, name))
    assert stage.summary(config, CLASSES[SOURCES[name]["document"]["manifest.emotion.labels"]])[key] == expected


def test_published_size_of_the_separate_heads(tmp_path):
    assert va.summary(va.configure(applied(tmp_path, "separate_heads")))["parts"]["heads"]["total"] == 1_249_286


@pytest.mark.parametrize(
    "names", [("warm_xattn_gated", "v4"), ("mel_audio", "v1"), ("gated_standard", "separate_heads")]
)
def test_recipes_of_both_systems_fit_together(tmp_path, names):
    whole.refuse(whole.read(applied(tmp_path, *names)))


@pytest.mark.parametrize("name", [*SOURCES, *OWN])
def test_the_header_says_what_a_reader_needs(name):
    header = [line for line in (REPO / f"presets/{name}.yaml").read_text().splitlines() if line.startswith("# ")]
    assert [line.split(":")[0] for line in header[1:] if ":" in line[:12]] == [
        "# Source",
        "# Run",
        "# Needs",
        "# Measured",
    ]
    assert f"commands.preset {name}" in "".join(header)
