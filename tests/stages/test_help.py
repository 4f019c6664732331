"""`--help` of every stage and command answers at once: it imports none of the slow libraries."""

import json
import subprocess
import sys

import pytest
from project_params import REPO

PROGRAMS = [
    f"{folder}.{file.stem}"
    for folder in ("stages", "commands")
    for file in sorted((REPO / folder).glob("*.py"))
    if file.name != "__init__.py"
]
SLOW = ("torch", "torchaudio", "torchvision", "transformers", "matplotlib", "sklearn", "scipy", "cv2", "dvc")
ASK = f"""
import contextlib, io, json, runpy, sys
said = io.StringIO()
sys.argv = [sys.argv[1], "--help"]
try:
    with contextlib.redirect_stdout(said):
        runpy.run_module(sys.argv[0], run_name="__main__")
except SystemExit as end:
    print(json.dumps([end.code, said.getvalue(), [name for name in {SLOW} if name in sys.modules]]))
"""


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_imports_no_torch(program, tmp_path):
    command = [sys.executable, "-c", ASK, program]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    code, text, loaded = json.loads(done.stdout)
    assert not code and "usage: " in text and "--help" in text
    assert loaded == []


def test_there_are_all_stages_and_commands():
    assert len(PROGRAMS) == 24 and {"stages.check", "stages.report", "commands.predict"} <= set(PROGRAMS)
