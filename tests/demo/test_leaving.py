"""Pages that are closed, and servers that end, leave nothing behind."""

import time

import numpy as np
import pytest
import soundfile
from demo_page import FILM
from recordings import voice

pytestmark = pytest.mark.slow


def empty(page, seconds: float = 20.0) -> bool:
    """Whether the files of a server vanish within some seconds."""
    end = time.monotonic() + seconds
    while page.files() and time.monotonic() < end:
        time.sleep(0.2)
    return not page.files()


def test_a_browser_that_goes_away(visit, served, project, tmp_path):
    page = visit()
    page.set_input_files("#file input[type=file]", project / FILM)
    page.wait_for_selector(".result .lanes svg", timeout=60_000)
    assert {file.name for file in served.files()} >= {FILM, "film.json"}
    page.close()
    assert empty(served)

    # In the middle of a long prediction; the next visitor need not wait for it.
    soundfile.write(tmp_path / "long.wav", np.tile(voice(60.0, 140, 1), 20), 16000)
    page = visit()
    page.set_input_files("#file input[type=file]", tmp_path / "long.wav")
    page.wait_for_selector("text=/[0-9]+\\/300/", timeout=60_000)
    page.close()
    assert empty(served)
    page = visit()
    page.set_input_files("#file input[type=file]", project / FILM)
    page.wait_for_selector(".result .lanes svg", timeout=30_000)


def test_two_servers_at_once(start, served, browser, project):
    other = start()
    assert other.url != served.url and served.process.poll() is None
    page = browser.new_page()
    page.goto(other.url)
    page.wait_for_selector("#file input[type=file]", state="attached", timeout=60_000)
    page.set_input_files("#file input[type=file]", project / FILM)
    page.wait_for_selector(".result .lanes svg", timeout=60_000)
    assert other.files()
    assert other.end() == 0
    assert list(other.temporary.iterdir()) == []
    page.close()
