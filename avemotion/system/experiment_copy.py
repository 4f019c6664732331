"""Files that are in the project but not in the copy of it in which DVC runs a queued or temporary experiment."""

from pathlib import Path

COPIES = (".dvc", "tmp", "exps")  # `dvc exp run --temp` and `--queue` run below this folder, on what git tracks


def refuse_left_behind(path: Path, name: str) -> None:
    """Nothing outside such a copy, or where the project lacks the file too.

    Args:
        path: of a file or folder that a stage needs.
        name: the param or file, for the message.

    Raises:
        ValueError: the project has it, and this copy does not.
    """
    for folder in Path.cwd().parents:
        if folder.parts[-3:] == COPIES and not path.exists() and (source := folder.parents[2] / path).exists():
            raise ValueError(
                f"{name}: not in this copy of the project: {source} exists, but `dvc exp run --temp` and `--queue` "
                "copy only what git tracks; name it by its absolute path, track it (`git add -f`, `dvc add`), or run "
                "the experiment without --temp and --queue"
            )
