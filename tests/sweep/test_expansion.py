"""The grid as a list of assignments: combinations, ranges, presets, against lists written by hand."""

import pytest
from dvc.utils.hydra import apply_overrides
from project_params import REPO

from avemotion.sweep import expansion, recipes
from avemotion.system import params_file

PARAMS = {"seed": 0, "fusion": {"mode": "late", "lr": 0.1, "warm_start": []}, "va": {"state": None}}


def test_choices_and_ranges():
    assert expansion.expand([], ["fusion.mode=concat,gated", "seed=range(1,4)"], []) == [
        ("fusion.mode=concat", "seed=1"),
        ("fusion.mode=concat", "seed=2"),
        ("fusion.mode=concat", "seed=3"),
        ("fusion.mode=gated", "seed=1"),
        ("fusion.mode=gated", "seed=2"),
        ("fusion.mode=gated", "seed=3"),
    ]
    assert expansion.expand([], ["a=choice(1,2)", "b=[1,2]"], []) == [("a=1", "b=[1,2]"), ("a=2", "b=[1,2]")]
    assert expansion.expand([], [], []) == [()]


def test_axes_vary_fastest_and_their_params_together():
    axes = [expansion.axis(["seed"], [0, 1]), expansion.axis(["emotion.deal", "affect.deal"], [5, 6])]
    assert expansion.expand([], ["m=a,b"], axes) == [
        ("m=a", "seed=0", "emotion.deal=5", "affect.deal=5"),
        ("m=a", "seed=0", "emotion.deal=6", "affect.deal=6"),
        ("m=a", "seed=1", "emotion.deal=5", "affect.deal=5"),
        ("m=a", "seed=1", "emotion.deal=6", "affect.deal=6"),
        ("m=b", "seed=0", "emotion.deal=5", "affect.deal=5"),
        ("m=b", "seed=0", "emotion.deal=6", "affect.deal=6"),
        ("m=b", "seed=1", "emotion.deal=5", "affect.deal=5"),
        ("m=b", "seed=1", "emotion.deal=6", "affect.deal=6"),
    ]


def test_a_draw_is_part_of_the_grid_and_grows():
    choices, axes = ["a=range(0,10)", "b=range(0,10)"], [expansion.axis(["seed"], [0, 1])]
    everything = expansion.expand([], choices, axes)
    drawn = {n: expansion.expand([], choices, axes, n) for n in (3, 8, 200)}
    assert [len(settings) for settings in drawn.values()] == [6, 16, 200]
    assert set(drawn[3]) < set(drawn[8]) < set(everything) and drawn[200] == everything
    assert drawn[8] == [setting for setting in everything if setting in drawn[8]]  # in the order of the grid
    assert len({setting[:2] for setting in drawn[8]}) == 8 and drawn[8] == expansion.expand([], choices, axes, 8)
    presets = expansion.expand([("p=1",), ("p=2",)], choices, [], 3)
    assert [setting[1:] for setting in presets[:3]] == [setting[1:] for setting in presets[3:]]


def test_presets_are_overridden_by_choices():
    presets = [("fusion.mode=gated", "fusion.lr=0.2"), ("fusion.mode=late",)]
    assert expansion.expand(presets, ["fusion.lr=0.3"], [[("seed=1",)]]) == [
        ("fusion.mode=gated", "fusion.lr=0.3", "seed=1"),
        ("fusion.mode=late", "fusion.lr=0.3", "seed=1"),
    ]


def test_labels_name_presets():
    presets = [("m=gated", "lr=0.2"), ("m=late",)]
    settings = expansion.expand(presets, ["lr=0.2,0.3"], [])
    assert expansion.labels(["a", "b+c"], presets, settings) == [
        ("a",),
        ("a", "lr=0.3"),
        ("b+c", "lr=0.2"),
        ("b+c", "lr=0.3"),
    ]
    assert expansion.labels([], [], [("m=a",)]) == [("m=a",)]


def test_presets_become_assignments(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "PRESETS", tmp_path)
    (tmp_path / "one.yaml").write_text("# one\nfusion: {mode: gated, lr: 1.0e-5, warm_start: [audio, video]}\n")
    (tmp_path / "two.yaml").write_text("# two\nfusion: {mode: null}\nva: {state: {kind: ema, alpha: 0.8}}\n")
    assert expansion.of_presets("one", PARAMS) == (
        "fusion.mode=gated",
        "fusion.lr=1e-05",
        "fusion.warm_start=[audio,video]",
    )
    assert expansion.of_presets("one+two", PARAMS) == (
        "fusion.lr=1e-05",
        "fusion.warm_start=[audio,video]",
        "fusion.mode=null",
        "va.state={kind:ema,alpha:0.8}",
    )
    with pytest.raises(ValueError, match="no preset 'three'; choose of one, two"):
        expansion.of_presets("three", PARAMS)


@pytest.mark.parametrize("name", sorted(file.stem for file in (REPO / "presets").glob("*.yaml")))
def test_a_preset_in_a_sweep_equals_the_preset_applied(name, tmp_path):
    """DVC, given the assignments, writes the params that commands.preset writes."""
    file = tmp_path / "params.yaml"
    file.write_bytes((REPO / "params.yaml").read_bytes())
    by_hand = recipes.load(file)
    recipes.apply(by_hand, recipes.recipe(name))
    apply_overrides(file, list(expansion.of_presets(name, recipes.load(file))))
    assert params_file.content(file) == by_hand


def test_spelling():
    values = {"a b": "'a b'", "it's": r"'it\'s'", "true": "'true'", "5": "'5'", "microsoft/wavlm-base": None}
    for value, spelling in values.items():
        assert expansion.spelled(value) == (spelling or value)
    assert expansion.spelled([1, 0.5, False, None, {"k": "v"}]) == "[1,0.5,false,null,{k:v}]"


def test_numbers():
    assert expansion.numbers("0-2") == [0, 1, 2]
    assert expansion.numbers("0,3,5-6") == [0, 3, 5, 6]
    for wrong in ("2-0", "a", "", "1-", "-1"):
        with pytest.raises(ValueError, match=r"is no list of numbers; write 0-2 or 0,3,5"):
            expansion.numbers(wrong)


def test_misspelt_choices():
    with pytest.raises(ValueError, match="-S gated: write it as"):
        expansion.expand([], ["gated"], [])
    with pytest.raises(ValueError, match=r"-S a=\[1: "):
        expansion.expand([], ["a=[1"], [])
