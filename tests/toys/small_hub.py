"""A model hub on this machine, over the protocol of huggingface_hub: folders as revisions of repositories."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import huggingface_hub.constants
import pytest
import transformers.utils.hub


def connected(monkeypatch: pytest.MonkeyPatch, cache: Path) -> "SmallHub":
    """A hub that the clients of transformers and huggingface_hub ask, with a folder as local cache."""
    small = SmallHub()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", small.url)
    template = f"{small.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(transformers.utils.hub, "_hf_api", None, raising=False)  # a client that keeps its endpoint
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    return small


class SmallHub:
    """Repositories by id and revision; `stop` is as if the network were gone."""

    def __init__(self) -> None:
        self.folders: dict[str, dict[str, Path]] = {}  # id -> branch, tag or commit -> files
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub.answer(self)

            do_GET = do_HEAD  # noqa: N815 (names that http.server calls)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add(self, repo: str, revision: str, folder: Path) -> str:
        """Publish a folder as a revision; returns its commit."""
        commit = hashlib.sha1(f"{repo} {revision}".encode()).hexdigest()
        self.folders.setdefault(repo, {}).update({revision: folder, commit: folder})
        return commit

    def commit(self, repo: str, revision: str) -> str:
        folder = self.folders[repo][revision]
        return next(name for name, of in self.folders[repo].items() if of == folder and len(name) == 40)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        api = request.path.startswith("/api/models/")
        path = request.path.removeprefix("/api/models").split("?")[0].strip("/").split("/")
        repo, revision = "/".join(path[:2]), path[3] if len(path) > 3 else "main"
        if repo not in self.folders:
            return self.send(request, 404, b"", {"X-Error-Code": "RepoNotFound"})
        if revision not in self.folders[repo]:
            return self.send(request, 404, b"", {"X-Error-Code": "RevisionNotFound"})
        commit = self.commit(repo, revision)
        if api:
            return self.send(request, 200, json.dumps({"id": repo, "sha": commit, "siblings": []}).encode(), {})
        file = self.folders[repo][revision] / "/".join(path[4:])
        if not file.is_file():
            return self.send(request, 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        content = file.read_bytes()
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        return self.send(request, 200, content, headers)

    def send(self, request: BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str]) -> None:
        request.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(content)
