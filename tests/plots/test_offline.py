"""The pages of `dvc plots show` and `dvc plots diff`, and report.html, in a browser without a network."""

import hashlib
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
import yaml
from project_params import REPO as ROOT
from results_toys import plot
from toy_project import init, run, session

from avemotion.training.common.live_curves import LiveCurves
from tools.plots_page import LIBRARIES, PAGE

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on the path")


# Put before everything else in a page: what goes wrong is written into the page itself.
WATCH = """<script>
const faults = [], note = (...words) => {
  faults.push(words.join(" "));
  document.documentElement.setAttribute("data-faults", JSON.stringify(faults));
};
addEventListener("error", e => note(e.message || "not loaded: " + (e.target.src || e.target.href)), true);
addEventListener("unhandledrejection", e => note(e.reason));
console.error = (...words) => note("error:", ...words);
console.warn = (...words) => note("warning:", ...words);
</script>"""


def opened(file: Path, profile: Path) -> tuple[str, list[str]]:
    """The page's HTML once its scripts have run; script errors, console errors and warnings, and what did not load."""
    watched = file.with_name(f"watched_{file.name}")
    watched.write_text(WATCH + file.read_text(encoding="utf-8"), encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    # No name resolves and no proxy answers: whatever the page asks for elsewhere fails.
    offline = ["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9"]
    options = ["--virtual-time-budget=30000", "--dump-dom", watched.as_uri()]
    done = subprocess.run([*command, *offline, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = re.search(r'data-faults="([^"]*)"', done.stdout)
    faults = json.loads(unescape(found[1])) if found else []
    # vega-embed takes v5 and v5.2.0 of a schema for two versions, also of the specs that vega-lite compiles.
    return done.stdout, [
        fault for fault in faults if not re.match(r"warning: The (input|compiled) spec uses Vega(-Lite)? v5,", fault)
    ]


@pytest.fixture(scope="module")
def project(evaluated, tmp_path_factory) -> Path:
    """A DVC project with the plots of dvc.yaml, committed, then with other ones in the workspace."""
    folder = tmp_path_factory.mktemp("offline") / "project"
    shutil.copytree(evaluated, folder)
    plots = {"plots": yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump(plots, sort_keys=False))
    init(folder)
    for name in ("config", "page.html"):
        shutil.copy(ROOT / ".dvc" / name, folder / ".dvc" / name)
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    (folder / ".gitignore").write_text("/data/\n")
    session(folder, "git add .", "git commit -q -m first")
    table = pd.read_csv(plot(folder, "confusion.csv"))
    table.assign(predicted="happy").to_csv(plot(folder, "confusion.csv"), index=False)
    return folder


@needs_browser
@pytest.mark.parametrize("command", [["show"], ["diff", "HEAD", "workspace"]], ids=["show", "diff"])
def test_plots_render_without_a_network(project, tmp_path, command):
    run(project, "dvc", "plots", *command, "-o", str(tmp_path / "out"))
    index = tmp_path / "out/index.html"
    html, faults = opened(index, tmp_path / "profile")
    assert faults == []
    declared = yaml.safe_load((project / "dvc.yaml").read_text())["plots"]
    views = [next(iter(plot)) for plot in declared if not isinstance(plot, str)]
    body = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    drawn = re.findall(r'<canvas width="(\d+)" height="(\d+)" class="marks"', body)
    assert len(drawn) == len(views) == 13
    assert all(int(width) > 100 and int(height) > 100 for width, height in drawn)
    pictures = re.findall(r'<img[^>]*src="([^"]+)"', body)
    assert len(pictures) == len(declared) - len(views) if command == ["show"] else len(pictures) >= 2
    assert all((index.parent / source).is_file() or source.startswith("data:") for source in pictures)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', body)


@needs_browser
def test_curves_of_a_running_training(project, tmp_path, monkeypatch):
    """What README says to type while a stage runs; the file is known to neither git nor DVC."""
    history = {"phase": ["head", "head"], "epoch": [1, 2], "train_loss": [2.0, 1.5], "val_loss": [2.5, 2.0]}
    monkeypatch.chdir(project)
    curves = LiveCurves("va", "fold_2")
    curves.write(pd.DataFrame(history | {"val_score": [0.1, 0.2]}))
    show = ["dvc", "plots", "show", str(curves.file), "-x", "epoch", "-y", "value", "--template", "training"]
    run(project, *show, "-o", str(tmp_path / "out"))
    index = tmp_path / "out/index.html"
    assert len(re.findall(r'"series":\s*"validation score"', index.read_text(encoding="utf-8"))) == 2  # epochs
    html, faults = opened(index, tmp_path / "profile")
    assert faults == [] and html.count('class="marks"') == 1


@needs_browser
def test_report_opens_without_a_network(project, tmp_path):
    html, faults = opened(project / "plots/report.html", tmp_path / "profile")
    assert faults == []
    assert html.count("<img") == 13


@needs_browser
def test_a_page_that_needs_the_network_is_noticed(tmp_path):
    """The checks above can fail."""
    (tmp_path / "page.html").write_text('<script src="https://example.org/x.js"></script><img src="nowhere.png">')
    (tmp_path / "broken.html").write_text(
        "<head></head><script>nothing.here()</script><script>console.error(1)</script>"
    )
    faults = opened(tmp_path / "page.html", tmp_path / "profile")[1]
    assert len(faults) == 2 and all(fault.startswith("not loaded") for fault in faults)
    assert len(opened(tmp_path / "broken.html", tmp_path / "profile")[1]) == 2


def test_the_page_holds_the_published_libraries_with_their_licences():
    text = PAGE.read_text(encoding="utf-8")
    assert [text.count(f"{{{name}}}") for name in ("plot_divs", "refresh_tag", "scripts")] == [1, 1, 0]
    parts = re.findall(r"<!-- (\S+) (\S+)\n(.*?)\n-->\n<script>(.*?)</script>", text, re.S)
    assert [(name, version) for name, version, _, _ in parts] == [(n, version) for n, (version, _) in LIBRARIES.items()]
    for name, _, licence, script in parts:
        assert "Redistribution and use in source and binary forms" in licence
        published = f"{script}\n//# sourceMappingURL={name}.min.js.map\n"
        assert hashlib.sha256(published.encode()).hexdigest().startswith(LIBRARIES[name][1])


def test_dvc_still_names_these_versions():
    """A newer DVC may write charts for newer libraries."""
    import dvc_render.vega

    text = Path(dvc_render.vega.__file__).read_text(encoding="utf-8")
    assert re.findall(r"npm/([\w-]+)@([\d.]+)", text) == [(name, version) for name, (version, _) in LIBRARIES.items()]
