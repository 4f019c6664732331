"""Writes a trained model as a file for other programs. Not in the DAG.

    python -m commands.export fusion --out exported/
    python -m commands.export va --format onnx --out exported/

The folder gets the model, preprocessing.json with its inputs and outputs, example.py, which needs numpy, onnxruntime
and soundfile alone, and MODEL_CARD.md. The command compares the outputs of the file with those of the project.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from avemotion.params.shared.compute import ComputeParams
from avemotion.system import cli, params_file

ROLES = {"fusion": "emotion", "va": "affect"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """What this command reads from params.yaml."""

    seed: int
    compute: ComputeParams


def configure(file: Path) -> Config:
    """Read the params of this command."""
    return Config(seed=params_file.read(file, "seed", int), compute=params_file.read(file, "compute", ComputeParams))


def parse() -> argparse.Namespace:
    parser = cli.parser(__doc__)
    parser.add_argument("stage", choices=tuple(ROLES), help="the models of data/models/fusion, or of data/models/va")
    parser.add_argument("--format", choices=("onnx",), default="onnx", help="default onnx")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="files of the same names are replaced"
    )
    return parser.parse_args()


def main() -> None:
    options = parse()
    config = configure(options.params)
    from avemotion.export import exported_folder
    from avemotion.prediction import trained_models
    from avemotion.system import runtime

    compute = replace(config.compute, device="cpu")  # the file runs anywhere
    models = trained_models.load(runtime.setup(config.seed, compute))
    difference = exported_folder.write(ROLES[options.stage], models, options.out)
    print(f"{options.out}: the outputs of {options.stage}.onnx differ by {difference:.1e} at most from the project's")


if __name__ == "__main__":
    cli.run(main, memory="compute.workers")
