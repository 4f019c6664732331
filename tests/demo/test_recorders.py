"""Microphone and webcam of a browser: live windows, and recordings that are predicted when they end."""

import base64
import json
import re

import numpy as np
import pytest
from demo_page import TONE

pytestmark = pytest.mark.slow


def test_live_windows_while_recording(visit, tmp_path):
    page, blocks = visit(), []

    def keep(request) -> None:
        if "component_server" in request.url:
            body = json.loads(request.post_data)
            if body["fn_name"] == "hear":
                blocks.append(np.frombuffer(base64.b64decode(body["data"][2]), "<i2"))

    page.on("request", keep)
    page.get_by_role("tab", name="Live").click()
    page.locator("#live button").click()
    page.wait_for_selector(".result .lanes path", timeout=30_000)
    status = page.locator("#live [role=status]").inner_text()
    assert re.match(
        r"1 window of 4 s. The last was on the page [\d.]+ s after its end, of which [\d.]+ s for computation. "
        r"All together: [\d.]+ times as fast as real time.",
        status,
    )
    assert page.locator("#live button").inner_text() == "Stop"
    page.wait_for_function("document.querySelectorAll('.result tbody tr').length == 2", timeout=30_000)
    page.locator("#live button").click()
    page.wait_for_selector(".files a")
    with page.expect_download() as download:
        page.get_by_text("Download JSON").click()
    download.value.save_as(tmp_path / "live.json")
    recording = json.loads((tmp_path / "live.json").read_text())["recordings"][0]
    assert [w["end"] for w in recording["windows"][:2]] == [4.0, 8.0]
    assert all(w["valence"] for w in recording["windows"])

    # Every sample of the microphone arrived, once and in order: the phase of the tone goes on.
    sound = np.concatenate(blocks)
    rate = len(sound) / recording["seconds"]
    turned = sound * np.exp(-2j * np.pi * TONE * np.arange(len(sound)) / rate)
    part = round(rate / 100)
    phase = np.unwrap(np.angle(turned[part * 50 : len(sound) // part * part].reshape(-1, part).mean(1)))
    assert np.abs(np.diff(phase)).max() < 0.1  # the smallest loss, 2048 samples, would be 1.1


def test_recordings_of_microphone_and_webcam(visit):
    page = visit()
    for tab, box, name in (("Microphone", "#microphone", "audio.wav"), ("Webcam", "#webcam", "sample.webm")):
        page.get_by_role("tab", name=tab).click()
        if tab == "Webcam":
            page.locator(f"{box} button").first.click()
        page.wait_for_timeout(2000)  # Gradio loads its recorder
        page.locator(f"{box} button:has-text('Record')").first.click()
        page.wait_for_timeout(2500)
        page.locator(f"{box} button:has-text('Stop')").first.click()
        page.wait_for_selector(f".result h3:has-text('{name}')", timeout=60_000)
        assert page.locator('[data-lane="emotion"] path').count() == 2
        assert page.locator("#reason").inner_text().strip() == ""
