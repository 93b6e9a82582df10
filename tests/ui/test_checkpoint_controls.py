"""The controls of a checkpoint: what they are filled with is what they say."""

import gradio as gr
import pytest

from comparer.checkpoints.listing import listing
from comparer.checkpoints.spec import Weights, parse
from comparer.ui.request.checkpoints import Which


@pytest.mark.parametrize(
    "line",
    ["demo", "a/b; weights=ema; base=demo; vae=a/c; dtype=float16", "a/b; lora=a/x.safetensors:-0.8; incomplete=yes",
     "a/b; lora=a/x.safetensors:0.5; lora=a/y.pt:0.5", "a/b; lora=a/x.safetensors:0.5; lora=a/y.pt:1"],
)  # fmt: skip
def test_the_controls_say_what_they_are_filled_with(config, line):
    asked = parse(line)
    with gr.Blocks():
        which = Which(config)
        which.build_half()
        which.build(listing(config))
    filled = which.filled(asked)
    values = [filled[part] for part in which.inputs()]
    values = [value["value"] if isinstance(value, dict) else value for value in values]
    assert which.read(asked.checkpoint, tuple(values), asked.incomplete) == asked.text() == line
    assert Weights() == parse(which.read("demo", ("", "", "", [], 1, "", ""), False))
