"""What the page does with a recording, and with an open microphone."""

import base64
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
import numpy as np

from avemotion.demo import answers
from avemotion.demo.microphones import Microphones
from avemotion.demo.visits import Visits
from avemotion.prediction.predictor import Predictor, read
from avemotion.prediction.windows import Prediction
from avemotion.system import cli

MEMORY = "the length of the recording"  # what to lower where memory runs out


class _LeftError(Exception):
    """The browser that asked is gone."""


class Handlers:
    """Handlers of the events of a session, which is one open page. They return a reason or an answer."""

    def __init__(self, predictor: Predictor, visits: Visits):
        self.predictor, self.visits = predictor, visits

    def arrive(self, request: gr.Request) -> None:
        """A page was opened."""
        self.visits.use(str(request.session_hash), [])

    def leave(self, request: gr.Request) -> None:
        """A page was closed: remove its files."""
        self.visits.leave(str(request.session_hash))

    def clear(self, request: gr.Request) -> tuple[str, None]:
        """Remove the answer, and the files of the session."""
        self.visits.use(str(request.session_hash), [])
        return "", None

    def recording(
        self,
        file: str | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 (Gradio looks for this default)
    ) -> tuple[str, dict[str, Any] | None]:
        """Predict a file in Gradio's folder."""
        if file is None:
            return self.clear(request)
        session, path = str(request.session_hash), Path(file)
        self.visits.use(session, [path])
        progress(0.0, desc="Reading the recording")
        try:
            prediction = self._predict(path, session, progress)
        except _LeftError:
            return "", None
        except Exception as error:
            self.visits.use(session, [])
            return f'<p role="alert">{escape(_reason(error, path))}</p>', None
        source = {"url": _url(path), "picture": prediction.recording.has_picture}
        downloads = self._write(prediction, session)
        shown = answers.shown(prediction, self.predictor.models)
        return "", shown | {"source": source, "downloads": downloads}

    def _predict(self, path: Path, session: str, progress: gr.Progress) -> Prediction:
        def report(done: int, count: int) -> None:
            if not self.visits.here(session):
                raise _LeftError
            progress((done, count), desc="Predicting", unit="windows")

        return self.predictor.windows(replace(read(path), name=path.name), progress=report)

    def _write(self, prediction: Prediction, session: str) -> dict[str, str]:
        """The files to download: name -> address."""
        folder = self.visits.folder / "answers" / session
        folder.mkdir(parents=True, exist_ok=True)
        addresses = {}
        for name, content in answers.files(prediction, self.predictor).items():
            (folder / name).write_text(content, encoding="utf-8")
            self.visits.add(session, [folder / name])
            addresses[name] = _url(folder / name)
        return addresses


def server_functions(microphones: Microphones) -> list[Callable[[Any], dict[str, Any] | None]]:
    """What the script of the page calls: hear([page, rate, base64 of int16]) and finish(page)."""

    def hear(arguments: list[Any]) -> dict[str, Any]:
        page, rate, sound = arguments
        try:
            return microphones.hear(page, rate, np.frombuffer(base64.b64decode(sound), "<i2"))
        except Exception as error:
            return {"reason": _reason(error)}

    def finish(page: str) -> dict[str, Any] | None:
        try:
            return microphones.finish(page)
        except Exception as error:
            return {"reason": _reason(error)}

    return [hear, finish]


def _reason(error: Exception, path: Path | None = None) -> str:
    """The line of the terminal for an error, with the name of a file in place of its path.

    Raises:
        Exception: the error itself, where only a mistake of the program explains it.
    """
    reason = cli.foreseen(error, MEMORY)
    if reason is None:
        raise error
    return reason if path is None else reason.replace(f"{path.parent}/", "")


def _url(path: Path) -> str:
    return f"/gradio_api/file={quote(str(path))}"
