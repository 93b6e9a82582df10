"""The page's JavaScript under node: functions that need no browser get inputs and give their outputs back."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from comparer.reporting.viewer import viewer
from helpers.runs import ROOT

# ImageData as the web's standard has it: node has none.
IMAGE_DATA = """
class ImageData {
  constructor(width, height, values) {
    Object.assign(this, {width, height, data: new Uint8ClampedArray(values ?? width * height * 4)})
  }
}
"""
# Every line asks for one call in globals of its own, and is answered by one line.
RUNNER = """
const {createContext, runInContext} = require('vm')
require('readline').createInterface({input: process.stdin}).on('line', line => {
  const {script, body, given} = JSON.parse(line)
  let answer
  try {
    const code = `'use strict';\\n${script}\\n;({${Object.keys(given)}}) => {${body}}`
    answer = {found: runInContext(code, createContext({URL, URLSearchParams, Event, EventTarget}))(given)}
  } catch (error) {
    answer = {error: `${error.stack}`}
  }
  process.stdout.write(JSON.stringify(answer) + '\\n')
})
"""


def viewer_script(*names: str) -> str:
    """Return these files of the viewer, in the order in which it joins them."""
    folder = viewer.HERE
    return IMAGE_DATA + "\n".join(
        (folder / f"{name}.js").read_text(encoding="utf-8") for name in viewer.SCRIPTS if name in names
    )


def page_script(name: str) -> str:
    """Return a file of ``comparer`` by its path, as an expression of what it holds."""
    return (ROOT / "comparer" / name).read_text(encoding="utf-8")


@contextmanager
def running():
    """Start node; yield a function of a script, the body of a function and its arguments: what the body returns."""
    node = shutil.which("node")
    if node is None:
        told = "no node here: install it ('apt-get install nodejs', 'brew install node')"
        if os.environ.get("COMPARER_REQUIRE_BROWSER") == "1":
            pytest.fail(told)
        pytest.skip(told)
    pipe = subprocess.PIPE
    with subprocess.Popen([node, "-e", RUNNER], stdin=pipe, stdout=pipe, encoding="utf-8") as process:

        def run(script, body, **given):
            process.stdin.write(json.dumps({"script": script, "body": body, "given": given}) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert "error" not in answer, answer["error"]
            return answer["found"]

        yield run
        process.stdin.close()
