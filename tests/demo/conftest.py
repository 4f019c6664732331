"""The page as a process of its own, and a headless Chromium that looks at it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from demo_page import FILM, SECONDS, TONE, TONE_RATE, Page
from project_params import REPO


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser, and with it the packages of the page."""
    pytest.importorskip("gradio", reason="no gradio: the extra demo is not installed")
    pytest.importorskip("playwright", reason="no playwright: the group dev is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium on this machine")
    return program


@pytest.fixture(scope="session")
def project(trained, tmp_path_factory) -> Path:
    """The project of the toy models with a film that browsers play."""
    from benchmarks import timed_media

    root = tmp_path_factory.mktemp("page") / "project"
    shutil.copytree(trained, root)
    beeps = [(0.5 + i, 300.0 + 100 * i) for i in range(9)]
    pictures = timed_media.Pictures(times=[i / 25 for i in range(round(SECONDS * 25))])
    timed_media.write(root / FILM, [timed_media.Sound(beeps=beeps, seconds=SECONDS)], [pictures])
    return root


@pytest.fixture(scope="session")
def start(chromium, project, tmp_path_factory) -> Iterator[Callable[[], Page]]:
    """Starts pages, each with its own folder for temporary files, and ends them."""
    pages: list[Page] = []

    def run() -> Page:
        temporary = tmp_path_factory.mktemp("temporary")
        environment = os.environ | {"PYTHONPATH": str(REPO), "TMPDIR": str(temporary)}
        command = [sys.executable, "-m", "commands.demo"]
        process = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), line
        pages.append(Page(line.split()[0], process, temporary))
        return pages[-1]

    yield run
    for page in pages:
        if page.process.poll() is None:
            page.end()


@pytest.fixture(scope="session")
def served(start) -> Page:
    return start()


@pytest.fixture(scope="session")
def tone(tmp_path_factory) -> Path:
    """The sound of the browser's microphone."""
    import numpy as np
    import soundfile

    file = tmp_path_factory.mktemp("tone") / "tone.wav"
    time = np.arange(60 * TONE_RATE) / TONE_RATE
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * TONE * time), TONE_RATE, subtype="PCM_16")
    return file


@pytest.fixture(scope="session")
def browser(chromium, tone) -> Iterator:
    from playwright.sync_api import sync_playwright

    media = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    flags = [*media, f"--use-file-for-fake-audio-capture={tone}", "--autoplay-policy=no-user-gesture-required"]
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses its sandbox to root
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=[*flags, *root])


@pytest.fixture
def visit(browser, served) -> Iterator[Callable]:
    """Opens the page in a window of a width in pixels; the window is closed at the end."""
    opened = []

    def open_page(width: int = 1366, height: int = 768):
        page = browser.new_page(viewport={"width": width, "height": height})
        opened.append(page)
        page.goto(served.url)
        page.wait_for_selector("#file input[type=file]", state="attached", timeout=60_000)
        return page

    yield open_page
    for page in opened:
        if not page.is_closed():
            page.close()
