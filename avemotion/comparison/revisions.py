"""Copies the predictions of a git revision or DVC experiment from DVC's cache, without a checkout."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.comparison import compared_models
from avemotion.scoring import results

if TYPE_CHECKING:
    from dvc.api import DVCFileSystem

WORKSPACE = "workspace"  # the present files
TRANSFER = Path("metrics/transfer")  # scores on other corpora


class NotRunError(ValueError):
    """The revision's dvc.lock records no such output, or its role has no corpus."""


def fetch(revision: str, folder: Path, stages: Sequence[str]) -> Path:
    """The root of a project with the manifests and the predictions of some stages.

    Args:
        revision: WORKSPACE, a branch, tag or commit, or the name of a DVC experiment.
        folder: destination of a revision's files; not used for WORKSPACE.
        stages: such as fusion, va.

    Raises:
        ValueError: there is no such revision, or a file is missing in it or in DVC's cache.
    """
    if revision == WORKSPACE:
        return Path()
    files = _files(revision)
    roles = {compared_models.role(stage) for stage in stages}
    for role in sorted(roles):
        for name in ("corpus.json", "labels.csv"):
            _copy(files, revision, results.MANIFEST / role / name, folder)
    facts = {role: results.read_facts(role, folder) for role in roles}
    for stage in stages:
        role = compared_models.role(stage)
        if facts[role].absent:
            raise NotRunError(f"{revision} has no {stage}: its corpora.{role} names no corpus")
        for home in results.stage_folders(stage, facts[role].folds).values():
            _copy(files, revision, home / "predictions.csv", folder)
    return folder


def read_text(revision: str, file: Path) -> str:
    """A text file of a revision.

    Raises:
        ValueError: there is no such revision, or it has no such file.
    """
    files = _files(revision)
    try:
        return files.read_text(file.as_posix(), encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{revision} has no {file}; name a revision of this project") from error


def fetch_transfer(revision: str, folder: Path) -> None:
    """Copy the scores on other corpora, metrics/transfer/*.json, of a revision below folder; there may be none.

    Raises:
        ValueError: there is no such revision.
    """
    if revision == WORKSPACE:
        return
    files = _files(revision)
    place = TRANSFER.as_posix()
    for name in files.find(place) if files.isdir(place) else []:
        (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / place / Path(name).name).write_text(files.read_text(name, encoding="utf-8"), encoding="utf-8")


def _files(revision: str) -> "DVCFileSystem":
    """The files of a revision, git's and DVC's."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.scm import RevError

    files = DVCFileSystem(rev=revision)
    try:
        _ = files.repo  # resolves the revision
    except RevError as error:
        raise ValueError(
            f"{revision} is no branch, tag, commit or experiment; see `git branch -a` and `dvc exp list`"
        ) from error
    except DvcException as error:
        raise ValueError(f"this folder is no DVC project under git ({error}); run from the project's root") from error
    return files


def _copy(files: "DVCFileSystem", revision: str, file: Path, folder: Path) -> None:
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    target = folder / file
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        files.get_file(file.as_posix(), str(target))
    except (OSError, DvcException, DataIndexDirError) as error:
        if not any(_recorded(files, path) for path in (file, *file.parents)):
            remedy = "run its chain to the end (`dvc repro`, `dvc exp run`) and commit dvc.lock"
            raise NotRunError(f"{revision} has no {file}; {remedy}") from error
        raise ValueError(
            f"{file} of {revision} is not in DVC's cache; bring it with `dvc fetch` (or `dvc exp pull`) from where it "
            f"was made, or make it again with `dvc exp apply {revision}` or `git checkout {revision}`, then `dvc repro`"
        ) from error


def _recorded(files: "DVCFileSystem", path: Path) -> bool:
    """Whether dvc.lock names a file or folder, or the folder that it is in."""
    from dvc_data.index import DataIndexDirError

    try:
        return files.info(path.as_posix()).get("md5") is not None
    except OSError:
        return False
    except DataIndexDirError:  # the cache lacks even the list of the folder's files
        return True
