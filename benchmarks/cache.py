"""Speed of the feature cache against the usual way, timed in the same process: python -m benchmarks.cache

    extraction   hidden states of many utterances                 one utterance at a time through transformers
    training     a step of WavLM's last two layers from the cache one utterance at a time through the whole model
    batching     an epoch of those layers in batches by length    in shuffled batches
    reading      random batches from the cache, and their share   reading the file from end to end; training itself
                 of an epoch of the valence/arousal model
    folds        five folds side by side                          one after another
    repro        dvc repro with nothing to do                     the same rows in one file a clip

Prints a Markdown table for benchmarks/RESULTS.md. Weights are random: they do not change the time.
"""

import argparse
import importlib

import torch

from avemotion.system import runtime
from benchmarks import timing

PARTS = {
    "extraction": "cache_speed",
    "training": "cache_speed",
    "batching": "cache_batches",
    "reading": "cache_files",
    "folds": "cache_files",
    "repro": "cache_files",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; none = all")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--model", default="microsoft/wavlm-base", help="architecture; also microsoft/wavlm-large, tiny"
    )
    parser.add_argument("--utterances", type=int, default=32, help="of 2 to 8 s, in extraction and training")
    parser.add_argument("--clips", type=int, default=10_000, help="cached clips in reading and repro")
    parser.add_argument("--seconds", type=float, default=1.0, help="mean length of a cached clip")
    parser.add_argument("--turns", type=int, default=2000, help="of the dialogues in folds and in reading's epoch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--workers", type=int, default=0, help="processes in extraction on a CPU and in folds; 0 = cores"
    )
    parser.add_argument("--peak", type=int, default=4096, help="size of the matrices that measure the peak")
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"PART is {part!r}; choose from {', '.join(PARTS)}")
    device = runtime.device(options.device)
    print(timing.machine(device), "\n\n| measurement | ratio | goal | detail |\n|---|---:|---:|---|", flush=True)
    torch.manual_seed(0)
    for part in options.parts or PARTS:
        getattr(importlib.import_module(f"benchmarks.{PARTS[part]}"), part)(options, device)


if __name__ == "__main__":
    main()
