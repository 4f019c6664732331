"""A page in the browser that predicts emotion, valence and arousal of your own recordings. Not in the DAG.

    uv run --extra demo python -m commands.demo

Drop a file, or record from a microphone or a webcam. The page, the models and all files stay on this machine. The page
needs no network; files are removed when the page is closed, and all when the command ends.
"""

import argparse
import importlib.util
from pathlib import Path

from avemotion.params.shared.compute import ComputeParams
from avemotion.system import cli, params_file


def parse() -> argparse.Namespace:
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--models", type=Path, default=Path("data/models"), help="the trained models (default: data/models)"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: 127.0.0.1, this machine alone; 0.0.0.0 = also others, unprotected)",
    )
    parser.add_argument("--port", type=int, help="default: 7860, or the next free one")
    options = parser.parse_args()
    if options.port is not None and not 1 <= options.port <= 65535:
        parser.error(f"--port is {options.port}; give 1 to 65535")
    return options


def main() -> None:
    options = parse()
    if importlib.util.find_spec("gradio") is None:
        raise ValueError("gradio is not installed; run `uv run --extra demo python -m commands.demo`")
    seed = params_file.read(options.params, "seed", int)
    compute = params_file.read(options.params, "compute", ComputeParams)
    import avemotion
    from avemotion.demo import serving
    from avemotion.system import runtime

    runtime.setup(seed, compute)
    serving.serve(avemotion.load(options.models, compute.device), options.host, options.port)


if __name__ == "__main__":
    cli.run(main)
