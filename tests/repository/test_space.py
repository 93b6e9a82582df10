"""The README's front matter and app.py, as a Hugging Face Space reads and runs them."""

import os
import socket
import subprocess
import sys

import pytest
import yaml

from helpers.runs import ROOT

COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


@pytest.fixture
def front():
    _, matter, _ = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(matter)


def test_the_front_matter_is_what_a_space_takes_and_what_is_here(front):
    assert front["title"] == "Comparer" and front["sdk"] == "gradio" and front["pinned"] is False
    assert {front["colorFrom"], front["colorTo"]} <= COLOURS
    assert len(front["short_description"]) <= 60
    assert (ROOT / front["app_file"]).is_file()
    assert f"gradio[mcp]=={front['sdk_version']}\n" in (ROOT / "requirements.txt").read_text()
    assert front["python_version"] in (ROOT / "Dockerfile").read_text()
    assert "license" not in front  # undecided


def test_importing_app_gives_demo_and_reads_no_arguments_and_no_torch():
    script = "import sys, gradio, app; assert isinstance(app.demo, gradio.Blocks); "
    script += "print({'torch', 'diffusers'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", script, "--nonsense"], cwd=ROOT, capture_output=True, text=True)
    assert told.stdout.strip() == "set()", told.stderr


def test_app_listens_where_the_space_says(tmp_path):
    with socket.socket() as free:
        free.bind(("0.0.0.0", 0))
        port = str(free.getsockname()[1])
    env = os.environ | {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": port, "COMPARER_RUNS": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-u", "app.py"], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            told = next(line for line in process.stdout if "Comparer is at" in line)
        finally:
            process.kill()
    assert f"http://localhost:{port}" in told  # Gradio's word for 0.0.0.0; by itself it would say 127.0.0.1
