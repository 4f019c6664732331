"""params.yaml is read strictly: each mistake is one message that names file, key, value and remedy."""

import re
from dataclasses import dataclass
from typing import Literal

import pytest

from avemotion.system import params_file


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float
    names: list[str]


@dataclass(frozen=True, kw_only=True)
class Outer:
    size: int
    opened: bool
    kind: Literal["one", "two", 3]
    inner: Inner
    weights: dict[str, float]
    folder: str | None

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"size is {self.size}; give 1 or more")


GOOD = {
    "size": "4",
    "opened": "true",
    "kind": "two",
    "inner": "{rate: 2, names: [a, b]}",
    "weights": "{x: 1, snr_5: 0.5}",
    "folder": "null",
}


def read(place, **changes):
    """The section `s.outer` of a file with GOOD and changes, as YAML text; None drops the key."""
    lines = [f"    {key}: {value}" for key, value in (GOOD | changes).items() if value is not None]
    file = place / "p.yaml"
    file.write_text("\n".join(["s:", "  outer:", *lines, ""]), encoding="utf-8")
    return params_file.read(file, "s.outer", Outer)


def test_a_section_becomes_its_dataclass(tmp_path):
    outer = read(tmp_path)
    inner = Inner(rate=2.0, names=["a", "b"])
    expected = {
        "size": 4,
        "opened": True,
        "kind": "two",
        "inner": inner,
        "weights": {"x": 1.0, "snr_5": 0.5},
        "folder": None,
    }
    assert vars(outer) == expected
    assert type(outer.inner.rate) is float and type(outer.weights["x"]) is float  # an int passes as a float
    assert read(tmp_path, folder="data").folder == "data" and read(tmp_path, kind="3").kind == 3
    assert params_file.read(tmp_path / "p.yaml", "s.outer.inner.names", list[str]) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("5e-06", 5e-6), ("1e-4", 1e-4), ("1E3", 1000.0), ("-.5", -0.5), ("3.", 3.0), ("5.0e-6", 5e-6), ("+1e+2", 100.0)],
)
def test_floats_are_those_of_yaml_1_2(tmp_path, text, value):
    """DVC writes 5.0e-6 as 5e-06, which YAML 1.1 reads as text."""
    assert read(tmp_path, inner=f"{{rate: {text}, names: [a]}}").inner.rate == value


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": "1"}, "s.outer: unknown key extra; known are size, opened, kind, inner, weights, folder"),
        ({"opened": None}, "s.outer: missing key opened"),
        ({"size": "true"}, "s.outer.size is True; expected int"),
        ({"size": "4.0"}, "s.outer.size is 4.0; expected int"),
        ({"size": "'4'"}, "s.outer.size is '4'; expected int"),
        ({"size": "0"}, "s.outer.size is 0; give 1 or more"),
        ({"size": "null"}, "s.outer.size is None; expected int"),
        ({"opened": "1"}, "s.outer.opened is 1; expected bool"),
        ({"opened": "'yes'"}, "s.outer.opened is 'yes'; expected bool"),
        ({"kind": "four"}, "s.outer.kind is 'four'; choose one of one, two, 3"),
        ({"kind": "3.0"}, "s.outer.kind is 3.0; choose one of one, two, 3"),
        ({"inner": "{rate: '1e-4', names: []}"}, "s.outer.inner.rate is '1e-4'; expected float"),
        ({"inner": "{rate: 1e, names: []}"}, "s.outer.inner.rate is '1e'; expected float"),
        ({"inner": "{rate: 1e999, names: []}"}, "s.outer.inner.rate is inf; expected float"),
        ({"inner": "{rate: true, names: []}"}, "s.outer.inner.rate is True; expected float"),
        ({"inner": "{rate: .nan, names: []}"}, "s.outer.inner.rate is nan; expected float"),
        ({"inner": "{rate: .inf, names: []}"}, "s.outer.inner.rate is inf; expected float"),
        ({"inner": "{rate: 1}"}, "s.outer.inner: missing key names"),
        ({"inner": "{rate: 1, names: [], nmaes: []}"}, "s.outer.inner: unknown key nmaes; known are rate, names"),
        ({"inner": "[1, 2]"}, "s.outer.inner is [1, 2]; expected the keys rate, names"),
        ({"inner": "{rate: 1, names: a}"}, "s.outer.inner.names is 'a'; expected a list such as [a, b]"),
        ({"inner": "{rate: 1, names: [a, 2]}"}, "s.outer.inner.names[1] is 2; expected str"),
        ({"weights": "{x: high}"}, "s.outer.weights.x is 'high'; expected float"),
        ({"weights": "[1]"}, "s.outer.weights is [1]; expected a mapping"),
        ({"folder": "3"}, "s.outer.folder is 3; expected str"),
    ],
)
def test_mistakes_in_a_section(tmp_path, changes, message):
    with pytest.raises(ValueError, match=re.escape(f"p.yaml: {message}")):
        read(tmp_path, **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "p.yaml: no such file; run from the project's root or name one with --params FILE"),
        ("seed: 0", "p.yaml: 'fusion' is missing; add it"),
        ("fusion: {}", "p.yaml: 'fusion.mode' is missing; add it"),
        ("fusion: 3", "p.yaml: 'fusion.mode' is missing; add it"),
        ("- 1", "p.yaml: expected sections such as 'fusion:', found list"),
        ("", "p.yaml: expected sections such as 'fusion:', found NoneType"),
        ("fusion: {mode: a", "p.yaml: not valid YAML"),
        ("fusion:\n  mode: a\n  mode: b", "p.yaml: not valid YAML: mode occurs twice in"),
        ("seed: 0\nfusion: {mode: a}\nseed: 1", "p.yaml: not valid YAML: seed occurs twice in"),
        ("fusion:\n\tmode: a", "p.yaml: not valid YAML: while scanning for the next token found character"),
        ("seed: 2020-99-99", "p.yaml: not valid YAML: month must be in 1..12"),
        ("seed: " + "[" * 5000, "p.yaml: not valid YAML"),
        ("seed: !!python/object/apply:os.getcwd []", "p.yaml: not valid YAML: could not determine a constructor"),
    ],
)
def test_mistakes_in_a_file(tmp_path, text, message):
    if text is not None:
        (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        params_file.read(tmp_path / "p.yaml", "fusion.mode", str)


def test_a_changed_file_is_read_again(tmp_path):
    assert read(tmp_path).size == 4
    assert read(tmp_path, size="5000").size == 5000
