"""The page: what is on it, and which handler an event has."""

from html import escape
from typing import Any

import gradio as gr

from avemotion.demo import answers, assets
from avemotion.demo.handlers import Handlers, server_functions
from avemotion.demo.microphones import Microphones
from avemotion.prediction import output
from avemotion.prediction.trained_models import Models

TITLE = "Emotion in a recording"
EMPTY = '<div class="result" hidden></div>'


def build(handlers: Handlers, microphones: Microphones) -> gr.Blocks:
    """The page."""
    models = handlers.predictor.models
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.HTML(intro(models), elem_id="intro")
        with gr.Tabs():
            with gr.Tab("File") as of_file:
                file = gr.File(label="An audio or video file", height=140, elem_id="file")
            with gr.Tab("Microphone") as of_microphone:
                microphone = gr.Audio(sources=["microphone"], type="filepath", label="Microphone", elem_id="microphone")
            with gr.Tab("Webcam") as of_webcam:
                webcam = gr.Video(
                    sources=["webcam"],
                    label="Webcam",
                    height=300,
                    elem_id="webcam",
                    # A silent or mirrored film would need the program ffmpeg.
                    include_audio=True,
                    webcam_options=gr.WebcamOptions(mirror=False),
                )
            with gr.Tab("Live") as of_live:
                gr.HTML(
                    html_template=assets.text("live.html"),
                    js_on_load=assets.LIVE,
                    server_functions=server_functions(microphones),
                    models=answers.about(models),
                    elem_id="live",
                )
        reason = gr.HTML(elem_id="reason")
        result = gr.HTML(None, html_template=EMPTY, js_on_load=assets.RESULT, elem_id="result")
        answer: dict[str, Any] = {"outputs": [reason, result], "api_visibility": "private"}
        waiting = answer | {"show_progress_on": reason, "concurrency_id": "recordings", "concurrency_limit": 1}
        for part, event in (
            (file, file.upload),
            (microphone, microphone.stop_recording),
            (webcam, webcam.stop_recording),
        ):
            event(handlers.recording, part, **waiting)
            part.clear(handlers.clear, None, **answer)
        for tab in (of_file, of_microphone, of_webcam, of_live):
            tab.select(
                lambda: "", None, reason, api_visibility="private", show_progress="hidden"
            )  # a reason is of its tab
        page.load(handlers.arrive, api_visibility="private")
        page.unload(handlers.leave)
    return page


def intro(models: Models) -> str:
    """Title, models with their corpora, and what they say nothing about."""
    about = output.about(models)
    lines = []
    for role, what in (("emotion", "Emotion"), ("affect", " and ".join(models.targets).capitalize())):
        if of := about[role]:
            count = f"{of['models']} model" + "s" * (of["models"] != 1)
            of_classes = f"{len(of['classes'])} classes, " if role == "emotion" else ""
            corpus = escape(of["corpus"]) + " (synthetic sample)" * of["synthetic"]
            lines.append(f"{what}: {of_classes}{count}, trained on {corpus}.")
    title = f"<h1>{TITLE}</h1>" + "".join(f"<p>{line}</p>" for line in lines)
    notes = "".join(
        f'<p class="synthetic" role="note">{escape(note[0].upper() + note[1:])}.</p>'
        for note in output.warnings(models)
    )
    return f"{title}{notes}"


def theme() -> gr.themes.Base:
    """Plain, with fonts of the system alone."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    return gr.themes.Base(font=fonts, font_mono=["ui-monospace", "monospace"], primary_hue="slate", radius_size="sm")
