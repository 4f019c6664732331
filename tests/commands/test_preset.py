"""Presets: they fit params.yaml, every stage accepts them, and nothing but the named values changes."""

import subprocess
import sys

import pytest
import yaml
from project_params import REPO

from avemotion.sweep import recipes
from stages import evaluate, fusion, manifest, pretrain_audio, pretrain_video, va

NAMES = sorted(file.stem for file in (REPO / "presets").glob("*.yaml"))
STAGES = (manifest, pretrain_audio, pretrain_video, fusion, va, evaluate)


def flat(content, place=""):
    if not isinstance(content, dict):
        return {place: content}
    return {key: value for name, item in content.items() for key, value in flat(item, f"{place}.{name}").items()}


@pytest.fixture
def file(tmp_path):
    copy = tmp_path / "params.yaml"
    copy.write_bytes((REPO / "params.yaml").read_bytes())
    return copy


def run(*arguments):
    command = [sys.executable, "-m", "commands.preset", *map(str, arguments)]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_is_accepted_by_every_stage(file, name):
    done = run(name, "--params", file)
    assert done.returncode == 0, done.stderr
    for stage in STAGES:
        stage.configure(file)
    before = flat(yaml.safe_load((REPO / "params.yaml").read_text()))
    after, asked = (
        flat(yaml.safe_load(file.read_text())),
        flat(yaml.safe_load((REPO / f"presets/{name}.yaml").read_text())),
    )
    assert after == before | asked
    changed = {key.lstrip(".") for key in after if after[key] != before[key]}
    said = {line.split(":")[0].strip() for line in done.stdout.splitlines() if " -> " in line}
    assert said == changed


def test_comments_and_untouched_lines_stay(file):
    run("warm_xattn_gated", "--params", file)
    old, new = (REPO / "params.yaml").read_text().splitlines(), file.read_text().splitlines()
    assert len(old) == len(new)
    for before, after in zip(old, new, strict=True):
        assert before.partition("#")[2].strip() == after.partition("#")[2].strip()
        if before.partition("#")[0].strip() == after.partition("#")[0].strip():
            assert before == after


def test_a_dry_run_and_a_second_run_change_nothing(file):
    original = file.read_bytes()
    assert "fusion.mode: " in run("warm_gated", "--dry-run", "--params", file).stdout
    assert file.read_bytes() == original
    run("warm_gated", "--params", file)
    once = file.read_bytes()
    assert "nothing to change" in run("warm_gated", "--params", file).stdout
    assert file.read_bytes() == once != original


def test_mistakes_leave_the_file_alone(file):
    original = file.read_bytes()
    done = run("warm_gatet", "--params", file)
    assert done.returncode == 1 and "no preset 'warm_gatet'; choose of " in done.stderr and "warm_gated" in done.stderr
    with pytest.raises(ValueError, match=r"sets fusion\.moed, which the params do not have"):
        recipes.apply({"fusion": {"mode": "late"}}, {"fusion": {"moed": "gated"}})
    assert file.read_bytes() == original
    file.write_text("fusion: [")
    assert run("warm_gated", "--params", file).stderr.startswith(f"error: {file}: ")


def test_without_a_name_it_lists_them_all():
    listed = run().stdout
    assert [line.split()[0] for line in listed.splitlines()] == NAMES
