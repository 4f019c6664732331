"""A DVC project of one quick stage that leaves manifests and predictions where the real chain leaves them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PARAMS = "seed: 0\nfusion: {mode: xattn}\nva: {noise: 0.5}\nmanifest: {shift: 0}\ncompute: {workers: 1}\n"

CHAIN = """
stages:
  all:
    cmd: python stage.py
    deps: [stage.py]
    params: [seed, fusion, va, manifest]
    outs:
      - data/manifest/emotion/labels.csv
      - data/manifest/emotion/corpus.json
      - data/manifest/affect
      - data/models/pretrain_audio
      - data/models/pretrain_video
      - data/models/fusion
      - data/models/va
      - data/models/baseline
"""


def run(folder: Path, *command: str, check: bool = True) -> str:
    """A command's output, with this Python's programs first on the path and a git identity."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    identity = {f"GIT_{role}_{what}": "test@test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path} | identity, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or not check, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


SESSION = """
import shlex, subprocess, sys
from dvc.cli import main
for line in sys.argv[1:]:
    program, *arguments = shlex.split(line)
    code = main(arguments) if program == "dvc" else subprocess.run([program, *arguments], check=False).returncode
    if code:
        sys.exit(f"{line}: {code}")
"""


def session(folder: Path, *commands: str) -> str:
    """The output of commands one after another; those of DVC in one process, because its start takes a second."""
    return run(folder, sys.executable, "-c", SESSION, *commands)


def init(folder: Path) -> None:
    """What `git init` and `dvc init` leave in an empty folder."""
    run(folder, "git", "init", "-q", "-b", "main")
    (folder / ".dvc").mkdir(exist_ok=True)
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n", encoding="utf-8")
    (folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")


def make(folder: Path, *commands: str) -> Path:
    """The project, reproduced and committed; then commands as of `session`."""
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("toy_stage.py"), folder / "stage.py")
    files = {"dvc.yaml": CHAIN, "params.yaml": PARAMS, ".gitignore": "/data/*\n__pycache__/\n"}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    init(folder)
    session(folder, "dvc repro -q", "git add .", "git commit -q -m toy", *commands)
    return folder
