"""Files of open pages are removed when the last page that has them is closed."""

import math
import os

import pytest

from avemotion.demo.visits import IDLE, Visits


@pytest.fixture
def upload(tmp_path):
    """Makes a file in a folder of its own, as Gradio does."""

    def make(name: str, changed: float = 1000.0):
        file = tmp_path / name / "film.mp4"
        file.parent.mkdir()
        file.write_bytes(b"film")
        os.utime(file, (changed, changed))
        return file

    return make


def test_two_sessions_with_the_same_file(tmp_path, upload):
    visits, shared, own = Visits(tmp_path), upload("shared"), upload("own")
    visits.use("a", [shared])
    visits.use("b", [shared, own])
    visits.leave("a")
    assert shared.is_file() and own.is_file() and not visits.here("a") and visits.here("b")
    visits.use("b", [shared])
    assert shared.is_file() and not own.parent.exists()
    visits.leave("b")
    assert list(tmp_path.iterdir()) == []


def test_the_answer_for_a_page_that_is_gone(tmp_path, upload):
    visits, answer = Visits(tmp_path), upload("answer")
    visits.use("other", [])
    visits.add("gone", [answer])
    assert not answer.exists() and not visits.here("gone")


def test_remains_of_broken_uploads(tmp_path, upload):
    visits, used, old, new = Visits(tmp_path), upload("used", 0.0), upload("old"), upload("new", 1001.0)
    visits.use("a", [used])
    visits.sweep(1000.5 + IDLE)
    assert used.is_file() and new.is_file() and not old.exists()
    visits.sweep(math.inf)
    assert used.is_file() and not new.exists()
    late = upload("late")
    visits.leave("a")
    assert not late.exists()


def test_files_elsewhere_are_left_alone(tmp_path, upload):
    (tmp_path / "uploads").mkdir()
    visits, elsewhere = Visits(tmp_path / "uploads"), upload("elsewhere")
    visits.use("a", [elsewhere])
    visits.leave("a")
    assert elsewhere.is_file()
