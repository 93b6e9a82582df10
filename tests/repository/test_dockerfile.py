"""The Dockerfile's reader and runner: a sound file runs and answers, a broken one is refused by line."""

import dockerfile
import pytest
from dockerfile_read import Broken, context, parse

from helpers.runs import ROOT

SERVER = """
import http.server, os
port = int(os.environ["GRADIO_SERVER_PORT"])
http.server.test(http.server.SimpleHTTPRequestHandler, port=port, bind="127.0.0.1")
"""
SOUND = """
FROM python:3.11-slim
RUN useradd --create-home --uid 1000 someone
WORKDIR /home/someone/app
COPY app.py .
RUN mkdir runs && chown someone runs
USER someone
ENV GRADIO_SERVER_PORT=7860 KEPT=/home/someone/app
VOLUME ["/home/someone/app/runs"]
HEALTHCHECK --start-period=20s --interval=1s \\
    CMD ["python", "-c", "import os, urllib.request as u; \\
u.urlopen('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/app.py', timeout=5)"]
STOPSIGNAL SIGINT
CMD ["python", "app.py"]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(dockerfile, "VENV", ("-m", "venv", "--without-pip"))  # seconds each
    (tmp_path / "app.py").write_text(SERVER)
    (tmp_path / "Dockerfile").write_text(SOUND)
    (tmp_path / ".dockerignore").write_text("*\n!app.py\n")
    return tmp_path


def broken(folder, old, new):
    """Change the Dockerfile; return how the runner refuses it."""
    assert old in SOUND
    (folder / "Dockerfile").write_text(SOUND.replace(old, new))
    with pytest.raises(Broken) as refused:
        list(dockerfile.run(folder))
    return str(refused.value)


@pytest.mark.full
def test_a_sound_file_runs_answers_and_is_stopped(folder):
    told = "\n".join(dockerfile.run(folder))
    assert "CMD runs, HEALTHCHECK succeeds" in told
    assert "useradd NOT RUN" in told
    assert "SIGINT ends it" in told


def test_a_file_that_is_not_there_or_held_back_is_refused(folder):
    (folder / ".dockerignore").write_text("*\n")
    assert "line 5: COPY: there is no 'app.py'" in broken(folder, "uid 1000", "uid 1000")
    assert "there is no 'page.py'" in broken(folder, "COPY app.py", "COPY page.py")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param('"app.py"]', '"page.py"]', "CMD ended with 2", marks=pytest.mark.full),
        pytest.param("/app.py', timeout", "/nothing', timeout", "not healthy after", marks=pytest.mark.full),
        pytest.param("chown someone runs", "true", "no folder that someone may write to", marks=pytest.mark.full),
        ("mkdir runs", "mkdir no/runs", "line 6: RUN: 'mkdir no/runs' failed"),
        ("USER someone", "USER nobody-made", "line 7: USER: there is no account"),
        ("VOLUME", "VOLUMES", "VOLUMES: is not known"),
        ("python:3.11-slim", "python:2.7-slim", "start this script with the image's Python"),
    ],
)
def test_a_broken_line_is_named(folder, old, new, told, monkeypatch):
    if "chown" in old and not dockerfile.Image.may_change:
        pytest.skip("only root can hand a folder to another user, or not")
    (folder / ".dockerignore").write_text("")
    if "healthy" in told:
        monkeypatch.setattr(dockerfile, "_seconds", lambda text: 1.0)
    assert told in broken(folder, old, new)


def test_the_last_matching_line_of_dockerignore_decides(tmp_path):
    for name in ("a.py", "b/c.py", "b/__pycache__/c.pyc", "b/d/e.png", "f.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".dockerignore").write_text("# what runs\n*\n!a.py\n!b\n**/__pycache__\nb/*/*.png\n")
    assert context(tmp_path) == ["a.py", "b/c.py"]


def test_comparers_own_image_gets_what_it_runs_and_nothing_else():
    names = context(ROOT)
    assert {"app.py", "requirements.txt", "comparer/ui/static/style.css", "assets/demo/model_index.json"} <= set(names)
    assert all(name.startswith(("app.py", "requirements.txt", "comparer/", "assets/")) for name in names)
    assert not any("__pycache__" in name or "screenshots" in name for name in names)
    words = [instruction.word for instruction in parse((ROOT / "Dockerfile").read_text())]
    assert words[0] == "FROM" and words[-1] == "CMD" and "HEALTHCHECK" in words
    assert words.index("USER") > max(i for i, word in enumerate(words) if word in ("RUN", "COPY"))
