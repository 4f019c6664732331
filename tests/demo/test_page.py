"""The page in a browser, with real media: what it shows equals what `predict` prints."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from demo_page import FILM, SECONDS

from avemotion.params.sample import RavdessParams
from avemotion.synthesis import ravdess_layout
from commands import predict

pytestmark = pytest.mark.slow
RECTANGLE = re.compile(r"M(-?[\d.]+) ([\d.]+)H(-?[\d.]+)V([\d.]+)H-?[\d.]+Z")
TIME = "document.querySelector('.player video').currentTime"


def send(page, file: Path) -> None:
    """Upload a file, and wait for the answer or the reason."""
    page.set_input_files("#file input[type=file]", file)
    page.wait_for_selector(".result .lanes svg, #reason p", timeout=60_000)


def rectangles(page, lane: str, series: str) -> list[list[float]]:
    """[left, bottom, right, top] in pixels of a path of the timeline."""
    path = page.locator(f'[data-lane="{lane}"] path[data-series="{series}"]').get_attribute("d")
    return [[float(value) for value in of] for of in RECTANGLE.findall(path)]


def cursor(page) -> float:
    return float(page.locator(".lanes").get_attribute("aria-valuenow"))


@pytest.fixture
def expected(project, monkeypatch, capsys):
    """The JSON of `predict` for the film."""
    from trained_project import main

    monkeypatch.chdir(project)
    main(predict, FILM, "--json")
    return json.loads(capsys.readouterr().out)


def test_a_film_from_upload_to_download(visit, project, expected, tmp_path):
    page, hosts, errors = visit(), set(), []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.reload()
    page.wait_for_selector("#file input[type=file]", state="attached")
    intro = page.locator("#intro").inner_text()
    assert "2 classes, 1 model, trained on made-up (synthetic sample)" in intro
    assert "Valence and arousal: 3 models" in intro and "trained on the synthetic sample" in intro
    send(page, project / FILM)
    windows = expected["recordings"][0]["windows"]
    assert len(windows) == 3

    # The heights of the stack are the probabilities; the edges are the times.
    lane = page.locator('[data-lane="emotion"] svg').bounding_box()
    bottom = np.zeros(3)
    for name in ("angry", "happy"):
        drawn = np.array(rectangles(page, "emotion", name))
        shares = (drawn[:, 1] - drawn[:, 3]) / lane["height"]
        assert shares == pytest.approx([w["emotion"][name] for w in windows], abs=1e-3)
        assert 1 - drawn[:, 1] / lane["height"] == pytest.approx(bottom, abs=1e-3)
        assert drawn[:, 0] / lane["width"] * SECONDS == pytest.approx([w["start"] for w in windows], abs=0.02)
        bottom += shares
    for target in ("valence", "arousal"):
        drawn = np.array(rectangles(page, target, f"{target} sd"))
        height = page.locator(f'[data-lane="{target}"] svg').bounding_box()["height"]
        means, spreads = (np.array([w[target][of] for w in windows]) for of in ("mean", "sd"))
        scale = max(5, *(means + spreads)) - min(1, *(means - spreads))
        spread = (drawn[:, 1] - drawn[:, 3]) / height * scale
        assert spread == pytest.approx(2 * spreads, abs=0.01)
    sound = np.array(rectangles(page, "gate", "sound"))
    gate = page.locator('[data-lane="gate"] svg').bounding_box()["height"]
    assert (sound[:, 1] - sound[:, 3]) / gate == pytest.approx([w["audio_share"] for w in windows], abs=1e-3)
    assert page.locator('[data-lane="attention"] path').count() == 3
    assert "look for no face" in page.locator('[data-lane="face"]').inner_text()

    # A click seeks, the values and the table follow; so does playback.
    page.locator(".lanes").click(position={"x": 0.6 * lane["width"], "y": 60})
    page.wait_for_function(f"Math.abs({TIME} - 6) < 0.05")
    assert cursor(page) == pytest.approx(6.0, abs=0.05)
    assert page.evaluate("document.querySelector('.player video').videoWidth") == 64
    assert page.locator(".now .span").inner_text().split("\n")[0].startswith("0:04.0 to 0:08.0")
    row = page.locator("tr.current td").all_inner_texts()
    assert row[:3] == ["0:04.0", "0:08.0", windows[1]["predicted"]]
    assert row[4] == f"{windows[1]['valence']['mean']:.2f} ± {windows[1]['valence']['sd']:.2f}"
    page.locator(".sheet tbody tr").nth(2).click()
    assert cursor(page) == 8.0
    page.locator(".lanes").press("ArrowLeft")
    assert cursor(page) == 7.0
    page.evaluate("document.querySelector('.player video').play()")
    page.wait_for_function(f"{TIME} > 7.4")
    page.evaluate("document.querySelector('.player video').pause()")
    page.wait_for_timeout(300)
    assert cursor(page) == pytest.approx(page.evaluate(TIME), abs=0.05)

    # Zoom halves the time in view around the cursor.
    page.get_by_role("button", name="Zoom in").click()
    zoomed = rectangles(page, "emotion", "angry")
    assert zoomed[1][2] - zoomed[1][0] == pytest.approx(2 * 0.4 * lane["width"], abs=2)

    with page.expect_download() as download:
        page.get_by_text("Download JSON").click()
    download.value.save_as(tmp_path / "film.json")
    assert json.loads((tmp_path / "film.json").read_text(encoding="utf-8")) == expected
    assert [of.get_attribute("download") for of in page.locator(".files a").all()] == [
        *("film.json", "film.csv", "film.srt", "film.TextGrid"),
    ]
    assert hosts == {"127.0.0.1"} and errors == []


def test_a_clip_of_the_sample_corpus(visit, tmp_path):
    """The picture of a recording of RAVDESS, which is one file, and its sound, which is another."""
    params = RavdessParams(actors=[1], repetitions=1, trials="balanced", width=128, height=96, fps=5.0)
    ravdess_layout.write_actor(1, root=tmp_path, params=params, seed=0)
    page = visit()
    send(page, tmp_path / "Actor_01/02-01-03-01-02-01-01.mp4")
    assert page.locator(".result h3").inner_text().startswith("02-01-03-01-02-01-01.mp4")
    assert page.locator('[data-lane="emotion"] path').count() == 2
    assert "no valence and arousal without sound" in page.locator('[data-lane="valence"]').inner_text()
    page.get_by_role("button", name="Clear").click()
    page.wait_for_selector(".result", state="hidden")
    send(page, tmp_path / "Actor_01/03-01-03-01-02-01-01.wav")
    assert page.locator('[data-lane="valence"] path').count() == 2
    assert page.locator('[data-lane="face"]').inner_text().endswith("no picture")
    assert page.evaluate("document.querySelector('.player audio').error") is None


@pytest.mark.parametrize("width", [390, 1366])
def test_nothing_to_scroll_sideways(visit, project, width):
    page = visit(width, 844)
    empty = page.evaluate("document.documentElement.scrollWidth")
    send(page, project / FILM)
    assert empty == page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator(".lanes").bounding_box()["width"] > 0.85 * width - 190


def test_the_browser_refuses_other_hosts(visit):
    """Not only does the page ask none: what some script of it would ask is blocked."""
    page, ask = visit(), "document.addEventListener('securitypolicyviolation', (e) => resolve(e.blockedURI))"
    for attempt in (
        "fetch('http://example.invalid/x').catch(() => {})",
        "new Image().src = 'http://example.invalid/x'",
    ):
        assert page.evaluate(f"new Promise((resolve) => {{ {ask}; {attempt}; }})") == "http://example.invalid/x"


def test_a_text_is_refused_with_the_line_of_the_terminal(visit, served, tmp_path, monkeypatch, trained_here):
    from trained_project import main

    text = tmp_path / "notes.txt"
    text.write_text("No recording. <b>\n" * 40)
    with pytest.raises(ValueError) as refused:
        main(predict, str(text))
    page = visit()
    send(page, text)
    assert page.locator("#reason").inner_text().strip() == str(refused.value).replace(f"{tmp_path}/", "")
    assert page.locator(".result .lanes").count() == 0
    assert not [file for file in served.files() if file.name == "notes.txt"]
    page.get_by_role("tab", name="Live").click()
    page.wait_for_selector("#reason p", state="detached")
