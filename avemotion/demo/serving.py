"""The server of the page: its port, its folder, and its end."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avemotion.prediction.predictor import Predictor

EVERY = 60.0  # seconds from one search for remains to the next
ENVIRONMENT = {"GRADIO_ANALYTICS_ENABLED": "False"}


def serve(predictor: Predictor, host: str, port: int | None) -> None:
    """Serve the page until Ctrl+C or SIGTERM; then all files of it are removed.

    Args:
        port: None = 7860, or the next free one.

    Raises:
        ValueError: the port is in use, or the host is not an address of this machine.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    with folder() as own:
        page, keep_clean = _page(predictor, own)
        stop = threading.Event()
        threading.Thread(target=keep_clean, args=[stop], daemon=True).start()
        try:
            _, url, _ = _launched(page, host, port)
            print(f"{url}  (Ctrl+C ends it)", flush=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
        finally:
            stop.set()
            page.close(verbose=False)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for uploads and downloads, which Gradio uses; removed at the end. To enter before Gradio is imported."""
    with tempfile.TemporaryDirectory(prefix="avemotion_demo_", ignore_cleanup_errors=True) as path:
        os.environ |= ENVIRONMENT | {"GRADIO_TEMP_DIR": path}
        yield Path(path)


def _page(predictor: Predictor, own: Path) -> tuple[Any, Callable[[threading.Event], None]]:
    """The page, and what removes the remains of pages that are gone until the event is set."""
    from avemotion.demo.handlers import Handlers
    from avemotion.demo.layout import build
    from avemotion.demo.microphones import Microphones
    from avemotion.demo.visits import Visits

    visits, microphones = Visits(own), Microphones(predictor)

    def keep_clean(stop: threading.Event) -> None:
        while not stop.wait(EVERY):
            visits.sweep(time.time())
            microphones.sweep(time.monotonic())

    return build(Handlers(predictor, visits), microphones), keep_clean


def _launched(page: Any, host: str, port: int | None) -> Any:
    from starlette.middleware import Middleware

    from avemotion.demo import assets
    from avemotion.demo.layout import theme

    try:
        return page.launch(
            server_name=host,
            server_port=port,
            share=False,
            inbrowser=False,
            quiet=True,
            prevent_thread_lock=True,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            run_history=False,
            footer_links=[],
            theme=theme(),
            css=assets.text("style.css"),
            head=assets.head(),
            app_kwargs={"middleware": [Middleware(assets.OwnHostOnly)]},
        )
    except OSError as error:
        where = f"port {port} of {host}" if port else f"every port from 7860 of {host}"
        raise ValueError(
            f"{where} is in use, or {host} is no address of this machine; give another --port or --host"
        ) from error


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
