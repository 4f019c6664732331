"""What the demo page refuses before it starts."""

import importlib.util
import socket

import pytest
from trained_project import main

from commands import demo


def test_without_gradio(trained_here, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gradio" else found(name))
    with pytest.raises(ValueError, match="gradio is not installed; run `uv run --extra demo"):
        main(demo)


def test_without_models(trained, tmp_path, monkeypatch):
    pytest.importorskip("gradio", reason="no gradio: the extra demo is not installed")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="run `dvc repro` to train models"):
        main(demo, "--params", str(trained / "params.yaml"))


def test_a_port_in_use(trained_here):
    pytest.importorskip("gradio", reason="no gradio: the extra demo is not installed")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            ValueError, match=rf"port {port} of 127.0.0.1 is in use, or .*; give another --port or --host"
        ):
            main(demo, "--port", str(port))


@pytest.mark.parametrize("port", ["0", "70000"])
def test_no_such_port(port, capsys):
    with pytest.raises(SystemExit):
        main(demo, "--port", port)
    assert f"--port is {port}; give 1 to 65535" in capsys.readouterr().err
