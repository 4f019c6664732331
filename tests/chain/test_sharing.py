"""docs/sharing.md, statement by statement: a project, its remote in a local folder, and the clone of a colleague."""

import shutil
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from project_params import REPO
from toy_project import init, run, session

from avemotion.params import whole
from avemotion.system import params_file

pytestmark = pytest.mark.slow

STAGE = """
import sys
from pathlib import Path
def write(file, text):
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(text)
if sys.argv[1] == "features":
    write("data/features/all.txt", "features of " + Path(sys.argv[2], "clip.wav").read_text())
else:
    write("data/models/fusion/model.txt", Path("data/features/all.txt").read_text() + Path("params.yaml").read_text())
"""
CHAIN = """
stages:
  features: {cmd: "python stage.py features ${root}", deps: [stage.py, "${root}"], outs: [data/features]}
  fusion: {cmd: python stage.py fusion, deps: [data/features], params: [seed], outs: [data/models/fusion]}
artifacts:
  fusion: {path: data/models/fusion, type: model}
"""
MODEL = "data/models/fusion/model.txt"


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """A folder with corpus/, lab/ (the remote) and project/, whose results are committed and pushed."""
    root = tmp_path_factory.mktemp("shared")
    project = root / "project"
    for folder in (root / "corpus", root / "lab", project):
        folder.mkdir()
    (root / "corpus/clip.wav").write_text("a clip")
    (project / "stage.py").write_text(STAGE)
    (project / "dvc.yaml").write_text(CHAIN)
    (project / ".gitignore").write_text("/data/*\n")
    (project / "params.yaml").write_text(f"seed: 0\nroot: {root / 'corpus'}\n")
    init(project)
    session(
        project,
        f"dvc remote add -q -d lab {root / 'lab'}",
        "dvc repro -q",
        "git add .",
        "git commit -q -m first",
        "dvc push -q",
        "git tag -a fusion@v1.0.0 -m first",
    )
    return root


@pytest.fixture
def clone(shared, tmp_path) -> Path:
    run(tmp_path, "git", "clone", "-q", str(shared / "project"), "clone")
    return tmp_path / "clone"


@pytest.fixture
def no_corpus(shared):
    """The corpus is on another machine."""
    (shared / "corpus").rename(shared / "elsewhere")
    yield
    (shared / "elsewhere").rename(shared / "corpus")


def ran(log: str) -> list[str]:
    return [line.split("'")[1] for line in log.splitlines() if line.startswith("Running stage")]


def test_a_colleague_extracts_nothing(shared, clone):
    log = session(clone, "dvc pull", "dvc repro")
    assert ran(log) == [] and "Data and pipelines are up to date" in log
    for file in (MODEL, "data/features/all.txt"):
        assert (clone / file).read_bytes() == (shared / "project" / file).read_bytes()


def test_one_output_alone(clone):
    session(clone, "dvc pull -q fusion")
    assert (clone / MODEL).exists() and not (clone / "data/features").exists()


def test_without_the_corpus(clone, no_corpus):
    """CI: nothing is fetched where nothing changed, and only what a changed stage reads where something did."""
    assert "No such file or directory" in run(clone, "dvc", "repro", check=False)
    assert ran(session(clone, "dvc repro --pull --allow-missing")) == [] and not (clone / MODEL).exists()
    (clone / "params.yaml").write_text((clone / "params.yaml").read_text().replace("seed: 0", "seed: 1"))
    assert ran(session(clone, "dvc repro --pull --allow-missing")) == ["fusion"]
    assert (clone / MODEL).read_text().startswith("features of a clipseed: 1\n")


def test_experiments_travel(shared, clone, tmp_path):
    session(clone, "dvc pull -q", "dvc exp run -q -n other -S seed=2", "dvc exp push -q origin other")
    run(tmp_path, "git", "clone", "-q", str(shared / "project"), "second")
    session(tmp_path / "second", "dvc exp pull -q origin other", "dvc exp apply -q other")
    assert (tmp_path / "second" / MODEL).read_text().startswith("features of a clipseed: 2\n")


def test_models_by_version(shared, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(shared / "project", project, symlinks=True)
    session(
        project,
        "dvc exp run -q -S seed=5",
        "git commit -q -a -m second",
        "dvc push -q",
        "gto register fusion --version v1.1.0",
        f"dvc artifacts get -q {project} fusion -o {tmp_path / 'newest'}",
        f"dvc artifacts get -q {project} fusion --rev v1.0.0 -o {tmp_path / 'first'}",
    )
    assert run(project, "git", "tag").split() == ["fusion@v1.0.0", "fusion@v1.1.0"]
    assert "seed: 5" in (tmp_path / "newest/model.txt").read_text()
    assert "seed: 0" in (tmp_path / "first/model.txt").read_text()


def test_a_corpus_under_dvc(shared, tmp_path):
    project, source = tmp_path / "project", tmp_path / "source"
    shutil.copytree(shared / "project", project, symlinks=True)
    shutil.copytree(shared / "corpus", source)
    (project / "corpora").mkdir()
    (project / "params.yaml").write_text("seed: 0\nroot: corpora/corpus\n")
    session(
        project,
        f"dvc import-url -q {source} corpora/corpus",
        "dvc repro -q",
        "git add .",
        "git commit -q -m imported",
        "dvc push -q",
    )
    run(tmp_path, "git", "clone", "-q", str(project), "clone")
    (source / "clip.wav").write_text("another clip")
    assert "Data and pipelines are up to date" in session(tmp_path / "clone", "dvc pull -q", "dvc repro")
    assert (tmp_path / "clone/corpora/corpus/clip.wav").read_text() == "a clip"
    assert ran(session(project, "dvc update -q corpora/corpus.dvc", "dvc repro")) == ["features", "fusion"]
    assert (project / "data/features/all.txt").read_text() == "features of another clip"


def test_the_workflow_runs_the_tests_of_the_readme(tmp_path):
    workflow = yaml.safe_load((REPO / ".github/workflows/test.yaml").read_text(encoding="utf-8"))
    steps = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    assert "python -m pip install uv && uv run pytest " in readme
    assert "python -m pip install uv" in steps and "uv run pytest" in steps
    (small,) = [step for step in steps if step.startswith("uv run dvc exp run ")]
    file = tmp_path / "params.yaml"
    file.write_bytes((REPO / "params.yaml").read_bytes())
    apply_overrides(file, small.removeprefix("uv run dvc exp run -S ").split(" -S "))
    read = whole.read(file)
    whole.refuse(read)
    assert params_file.content(file)["sample"]["ravdess"]["actors"] == [1, 2, 3, 17, 21, 22]
