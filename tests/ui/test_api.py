"""The API as programs use it: what README says, files, refusals, and clients that go away."""

import ast
import asyncio
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from comparer.request.png_write import read_request
from comparer.ui.api import Api
from helpers.pages import serving
from helpers.runs import PROMPT, ROOT, until

LONG = {"prompt": PROMPT, "seeds": "1-40", "steps": 100, "warmups": 0}  # a call takes seconds, the run minutes

(README_LINES,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def client(server, downloads):
    return Client(server, verbose=False, download_files=downloads)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("api") / "runs"


@pytest.fixture(scope="module")
def server(runs):
    """Serve runs that no other test makes."""
    with serving(runs) as address:
        yield address


@pytest.mark.full
def test_the_lines_of_the_readme_run(server):
    assert len([line for line in README_LINES.splitlines() if line]) <= 5 and "http://127.0.0.1:7860" in README_LINES
    script = README_LINES.replace("http://127.0.0.1:7860", server)
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^\d+\.\d\dx as fast; the grid is in (\S+\.png)$", told, re.M)
    assert found, told
    request = read_request(Path(found[1]))
    assert request.settings.seeds == (1, 2, 3, 4) and request.settings.steps == 20


def test_the_readmes_lines_ask_for_what_the_api_has():
    ((call, named),) = [
        (node, {each.arg for each in node.keywords})
        for node in ast.walk(ast.parse(README_LINES))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "predict"
    ]
    assert len(call.args) == 1 and named - {"api_name"} <= set(inspect.signature(Api.compare).parameters)
    assert "api_name='/compare'" in ast.unparse(call) and "['figures'][1]['speed_up']" in ast.unparse(
        ast.parse(README_LINES)
    )


def test_every_argument_of_an_endpoint_is_described_for_agents():
    for endpoint in (Api.compare, Api.fetch, Api.checkpoints, Api.accelerators):
        described = set(re.findall(r"^ {12}(\w+): ", endpoint.__doc__, re.MULTILINE))
        assert described == set(inspect.signature(endpoint).parameters) - {"self", "_request"}


def test_the_record_comes_with_its_pictures_and_grid_as_files(client, downloads):
    record = client.predict(PROMPT, accelerators=["DeepCache(interval=2)"], steps=4, seeds="3", api_name="/compare")
    assert record["state"] == "finished" and [shot["seed"] for shot in record["shots"]] == [3, 3]
    assert record["figures"][1]["reports"] == {"DeepCache": {"full": 2, "shallow": 2}}
    assert record["figures"][1]["speed_up"] > 0
    for file in (record["grid"], *(shot["picture"] for shot in record["shots"])):
        assert Path(file).is_relative_to(downloads)
        assert read_request(Path(file)).settings.seeds == (3,)
    assert Image.open(record["shots"][0]["picture"]).size == (128, 128)


def test_what_is_measured_besides_and_the_verdict_come_with_the_record(client):
    asked = {"accelerators": ["DeepCache(interval=2)"], "steps": 4, "seeds": "1,2", "warmups": 0}
    record = client.predict(PROMPT, also=["divergence", "equal-time"], api_name="/compare", **asked)
    assert [len(each["steps"]) for each in record["divergence"]["1"]] == [4]
    two, made = record["request"]["arms"][2:], [str(call["arm"]) for call in record["calls"]]
    assert 2 <= two[1]["steps"] <= 4 and {"2", "3"} & {*made}  # on a busy machine one of the two may not be needed
    assert all(len(record["conditions"][n]["timesteps"]) == two[int(n) - 2]["steps"] for n in made if n in "23")
    assert record["verdicts"]["1"]["sentence"].startswith(record["verdicts"]["1"]["headline"])
    assert 0 < [shot for shot in record["shots"] if shot["arm"] == 1][0]["similarity"]["ssim"] <= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"also": ["all"]}, "'all' cannot be measured"),
        ({"scorer": "ViT-B-32"}, "never seen the demo's coloured shapes"),
        ({"scorer": "ViT-B-32=/etc/passwd"}, "Only the command line may read a scorer"),
        ({"accelerators": ["DeepCache"] * 500}, "500 arms were requested"),
        ({"steps": 0}, "Steps 0"),
        ({"prompt": ""}, "prompt is empty"),
        ({"seeds": "abc"}, "'abc' is not a seed"),
        ({"accelerators": ["DeepCache(interval=0)"]}, "interval 0"),
        ({"accelerators": [3]}, "accelerators are not a list"),
        ({"checkpoint": "/etc"}, "outside the checkpoint folders"),
        ({"size": "130"}, "multiple of 8"),
        ({"noise": "gpu"}, "'gpu'"),
        # gradio would serve this file if it came back in the record
        ({"negative_prompt": {"path": str(ROOT / "app.py"), "meta": {"_type": "gradio.FileData"}}}, "is not text"),
    ],
)
def test_bad_input_is_refused_as_on_the_page(client, change, words):
    with pytest.raises(AppError, match=words):
        client.predict(**{"prompt": PROMPT, **change}, api_name="/compare")


def test_checkpoints_are_compared(client):
    record = client.predict(PROMPT, variants=["weights=raw"], steps=2, warmups=0, api_name="/compare")
    assert [arm["name"] for arm in record["request"]["arms"]] == ["demo", "demo, raw"] and record["state"] == "finished"
    halves = [card["components"]["unet"]["half"] for card in (record["checkpoint"], record["variants"]["1"])]
    assert halves == ["ema", "raw"]


def test_what_can_be_asked_for_is_listed(client):
    listed = {model["name"]: model for model in client.predict(api_name="/checkpoints")}
    demo = listed["demo"]
    assert demo["here"] and demo["size"] == 128 and demo["family"] == "sd1" and demo["why_not"] is None
    assert listed["sd-1.5"]["size"] == 512 and "not on this machine" in listed["sd-1.5"]["why_not"]
    known = {kind["name"]: kind for kind in client.predict(api_name="/accelerators")}
    interval = known["DeepCache"]["parameters"][0]
    assert (interval["name"], interval["default"], interval["low"], interval["high"]) == ("interval", 3, 1, 20)
    assert "full U-Net" in interval["help"] and known["DeepCache"]["lossy"] is True
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {
        "/compare",
        "/fetch",
        "/checkpoints",
        "/accelerators",
    }


def ends_soon(server, folder):
    """Say whether another run gets its turn, and the one in ``folder``, begun with its first picture, was stopped."""
    other = Client(server, verbose=False).predict(PROMPT, steps=2, api_name="/compare")
    record = json.loads((folder / "run.json").read_text())
    return other["state"] == "finished" and record["state"] == "stopped" and len(record["calls"]) <= 3


def test_a_job_that_is_cancelled_stops_its_run(server, runs):
    before = set(runs.glob("*_demo_*"))
    job = Client(server, verbose=False).submit(**LONG, api_name="/compare")
    (folder,) = until(lambda: set(runs.glob("*_demo_*")) - before)
    job.cancel()
    assert ends_soon(server, folder)


@pytest.mark.full
def test_the_run_of_a_client_that_is_killed_is_stopped(server, runs):
    before = set(runs.glob("*_demo_*"))
    script = "import json, sys; from gradio_client import Client\n"
    script += "Client(sys.argv[1], verbose=False).predict(**json.loads(sys.argv[2]), api_name='/compare')"
    gone = subprocess.Popen([sys.executable, "-c", script, server, json.dumps(LONG)])
    (folder,) = until(lambda: set(runs.glob("*_demo_*")) - before)
    gone.kill()
    gone.wait()
    assert ends_soon(server, folder)


@pytest.mark.full
def test_a_plain_http_client_that_hangs_up_stops_its_run(server, runs):
    before = set(runs.glob("*_demo_*"))
    values = [PROMPT, "demo", ["DeepCache"], "", None, 100, None, None, "1-40", 1, 0, "cpu", 0.0, 1, [], "", []]
    event = httpx.post(f"{server}/gradio_api/call/compare", json={"data": values}).json()["event_id"]
    with httpx.stream("GET", f"{server}/gradio_api/call/compare/{event}") as answer:
        for _ in answer.iter_lines():
            if made := set(runs.glob("*_demo_*")) - before:
                break
    (folder,) = made
    assert ends_soon(server, folder)


@pytest.mark.full
def test_agents_are_served_on_the_switch(tmp_path):
    pytest.importorskip("mcp", reason="the package mcp is not installed: pip install 'gradio[mcp]'")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def talk(address):
        async with (
            streamablehttp_client(f"{address}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert set(tools) == {"compare", "fetch", "checkpoints", "accelerators"}
            about = tools["compare"].inputSchema
            assert about["required"] == ["prompt"] and about["properties"]["checkpoint"]["default"] == "demo"
            assert "one prompt a line" in about["properties"]["prompt"]["description"]
            assert all(argument["description"] for argument in about["properties"].values())
            made = await session.call_tool("compare", {"prompt": PROMPT, "steps": 2})
            assert not made.isError and "grid.png" in made.content[0].text
            refused = await session.call_tool("compare", {"prompt": PROMPT, "steps": 0})
            assert refused.isError and "Steps 0 is out of range" in refused.content[0].text

    with serving(tmp_path / "runs", "--mcp", "yes") as address:
        asyncio.run(asyncio.wait_for(talk(address), 90))


def test_agents_are_not_served_otherwise(server):
    assert httpx.post(f"{server}/gradio_api/mcp/", json={}).status_code >= 400
