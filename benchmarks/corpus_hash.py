"""What it costs that DVC hashes a corpus, a dep of the stage manifest, and how the project's own hashes compare.

`python -m benchmarks.corpus_hash --mib 1024 --files 1000` writes that many files of random bytes into a temporary
folder, so they lie in the page cache: the rates are those of hashing, not of a disk. It prints the first and the second
hashing by DVC, which keeps the hashes of files by size, time and inode, and the project's blake2b on one core.
"""

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CORPUS_MIB = 25 * 1024  # the size to which the times are extrapolated, about that of RAVDESS with its videos
FILES = 10_000  # its number of files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--files", type=int, default=1000)
    options = parser.parse_args()
    from dvc.dependency.base import Dependency
    from dvc.repo import Repo

    with tempfile.TemporaryDirectory() as name:
        corpus, project = Path(name) / "corpus", Path(name) / "project"
        for i in range(options.files):
            file = corpus / f"{i // 100:03}" / f"{i}.avi"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(os.urandom(options.mib * 2**20 // options.files))
        time.sleep(3)
        project.mkdir()
        repo = Repo.init(str(project), no_scm=True)
        dependency = Dependency(None, str(corpus), repo=repo)
        print(f"{options.mib} MiB in {options.files} files, {os.cpu_count()} cores\n")
        print("| hashing | s | MiB/s | 25 GiB in 10,000 files |")
        print("| --- | --- | --- | --- |")
        first, _ = timed(dependency.get_hash)
        rows = {"DVC, first": first, "DVC, again": timed(dependency.get_hash)[0]}
        rows["blake2b of the manifest, one core"] = timed(lambda: [digest(file) for file in corpus.rglob("*.avi")])[0]
        for label, seconds in rows.items():
            # Nothing is read again, so the time goes with the files; else it goes with the bytes.
            scale = FILES / options.files if label == "DVC, again" else CORPUS_MIB / options.mib
            rate = "–" if label == "DVC, again" else f"{options.mib / seconds:.0f}"  # noqa: RUF001
            print(f"| {label} | {seconds:.2f} | {rate} | {seconds * scale:.0f} s |")


def digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
