"""Script and style of the page, from the files beside this one, and the headers that keep the page to itself."""

from collections.abc import Awaitable, Callable, MutableMapping
from importlib.resources import files
from typing import Any

SCRIPTS = ("timeline.js", "axis.js", "result.js", "live.js")  # each uses what the ones before define
# Both run once, when their part of the page is there; `watch` calls `show` for each later value.
RESULT = """
const result = (window.avemotion.result = new window.avemotion.Result(element));
const show = () => result.show(props.value);
watch("value", show);
show();
"""
LIVE = "new window.avemotion.Microphone(element, server, props.models);"
# The browser refuses whatever the page would request from another host.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {"content-security-policy": POLICY, "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}

Message = MutableMapping[str, Any]


def text(name: str) -> str:
    """The content of a file in assets/."""
    return (files("avemotion.demo") / "assets" / name).read_text(encoding="utf-8")


def head() -> str:
    """The scripts, for the head of the page."""
    return "\n".join(f"<script>\n{text(name)}</script>" for name in SCRIPTS)


class OwnHostOnly:
    """ASGI middleware that adds HEADERS to every response."""

    def __init__(self, app: Callable[..., Awaitable[None]]):
        self.app = app

    async def __call__(self, scope: Message, receive: Callable[..., Any], send: Callable[..., Awaitable[None]]) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *own]
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
