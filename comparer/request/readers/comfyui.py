"""Read ComfyUI's ``prompt``: a graph of nodes, ``{id: {"class_type": …, "inputs": {name: value or [id, output]}}}``.

One sampler is read, with what is linked to it; what does not stand plainly in a node's inputs is named. WebP files have
the same text in EXIF, as ``prompt:{…}``; Civitai's generator writes it into the comment of EXIF.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from comparer.errors import ComparerError
from comparer.request.readers.base import (
    MOST_NOTES,
    Parameters,
    Reader,
    as_object,
    as_text,
    as_weight,
    pairs_of,
    sampler_pairs,
)
from comparer.text import quote

LATENTS = ("latent_image", "latent", "samples", "image")
MOST_NODES = 5000
FAR = 40  # links that are followed
MODEL_NAMES = ("ckpt_name", "unet_name", "model_name")
VALUES = ("value", "int", "float", "number", "seed", "text", "string", "String", "Text", "Value")
TEXTS = ("text", "text_g", "text_l", "clip_l", "clip_g", "t5xxl", "prompt", "string", "value")
# Conditioning nodes that change a prompt's effect; the text behind them is read, and they are named.
PASSED = ("conditioning", "positive", "negative", "")


class Graph:
    """A graph of nodes from an untrusted file."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.nodes = {
            key: node
            for key, node in list(data.items())[:MOST_NODES]
            if isinstance(node, dict) and isinstance(node.get("inputs"), dict)
        }

    def kind(self, key: str) -> str:
        """Return a node's class."""
        return as_text(self.nodes[key].get("class_type")) or "?"

    def inputs(self, key: str) -> dict[str, Any]:
        """Return a node's inputs."""
        return self.nodes[key]["inputs"]

    def linked(self, value: Any) -> str:
        """Return the node that a value is linked to; "" if it is a plain value."""
        key = str(value[0]) if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int) else ""
        return key if key in self.nodes else ""

    def plain(self, value: Any) -> Any:
        """Return a value, or that of the primitive node it is linked to; None if there is no one value."""
        for _ in range(FAR):
            if not (key := self.linked(value)):
                return value if as_text(value) else None
            inputs = self.inputs(key)
            names = [name for name in VALUES if name in inputs] or list(inputs)
            others = [value for name, value in inputs.items() if name not in names and not name.startswith("text_")]
            if len(names) != 1 or any(isinstance(each, str | list) for each in others):
                return None  # computed from several
            value = inputs[names[0]]
        return None

    def chain(self, value: Any, *names: str) -> Iterator[str]:
        """Follow links from node to node by the first input of these names that is linked."""
        seen: set[str] = set()
        while (key := self.linked(value)) and key not in seen and len(seen) < FAR:
            seen.add(key)
            yield key
            inputs = self.inputs(key)
            value = next((inputs[name] for name in names if name in inputs and self.linked(inputs[name])), None)


def read(texts: Mapping[str, str]) -> Parameters | None:
    """Read the settings; None if ComfyUI did not write them."""
    graphs = (Graph(as_object(texts.get(key))) for key in ("prompt", "UserComment"))
    graph = next((each for each in graphs if any("class_type" in node for node in each.nodes.values())), None)
    if graph is None:
        editor = as_object(texts.get("workflow"))
        if isinstance(editor.get("nodes"), list) and "links" in editor:
            raise ComparerError("it contains only the editor's workflow, which does not name its values")
        return None
    samplers = {key for key in graph.nodes if _is_sampler(graph.inputs(key))}
    if not samplers:
        raise ComparerError("no sampler of its graph has steps or a seed with a prompt")
    first = [key for key in samplers if not any(each in samplers for each in _latents(graph, key))]
    if len(first) != 1:
        raise ComparerError(f"it is not clear which of the {len(samplers)} samplers of its graph made the picture")
    return _Reading(graph, first[0], len(samplers)).parameters()


def _is_sampler(inputs: Mapping[str, Any]) -> bool:
    guided = ("positive" in inputs and ("steps" in inputs or "sigmas" in inputs)) or "guider" in inputs
    return guided and any(name in inputs for name in (*LATENTS, "sampler_name", "noise"))


def _latents(graph: Graph, sampler: str) -> list[str]:
    inputs = graph.inputs(sampler)
    begin = next((inputs[name] for name in LATENTS if name in inputs), None)
    return list(graph.chain(begin, *LATENTS, "pixels", "images", ""))


class _Reading:
    """What is read from one sampler."""

    def __init__(self, graph: Graph, sampler: str, samplers: int) -> None:
        self.graph, self.sampler = graph, sampler
        self.inputs = self._with_parts(graph.inputs(sampler))
        self.unread: list[str] = []
        if samplers > 1:
            self.unread.append(f"Only the first of {samplers} samplers is read: Comparer makes one pass.")

    def _with_parts(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Add what SamplerCustom and SamplerCustomAdvanced have in nodes of their own."""
        found = dict(inputs)
        for name in ("guider", "noise", "sampler", "sigmas"):
            if key := self.graph.linked(inputs.get(name)):
                found = {**self.graph.inputs(key), **found}
        return found

    def value(self, *names: str) -> Any:
        """Return the first of these inputs that is a plain value, or linked to one."""
        return next((v for name in names if name in self.inputs and (v := self.graph.plain(self.inputs[name]))), None)

    def parameters(self) -> Parameters:
        prompt = self.text("positive" if "positive" in self.inputs else "conditioning")
        if not prompt:
            raise ComparerError("its graph does not contain the prompt as one text")
        negative = self.text("negative") if "negative" in self.inputs else ""
        if negative is None:
            self.unread.append("The graph does not contain the negative prompt as one text.")
        loras, model = self.model()
        pairs = pairs_of(
            Steps=self.value("steps"), CFG_scale=self.value("cfg"), Seed=self.value("seed", "noise_seed"),
            Size=self.size(), Model=model, Denoising_strength=_unless(self.value("denoise"), 1),
        )  # fmt: skip
        pairs |= sampler_pairs(self.value("sampler_name"), self.schedule()) | self.others()
        unread = tuple(dict.fromkeys(self.unread))[:MOST_NOTES]
        return Parameters(prompt, negative or "", pairs, READER.program, tuple(loras[:16]), unread)

    def schedule(self) -> Any:
        """Return the noise schedule; the class of the node that makes it where that has no name of one."""
        key = self.graph.linked(self.inputs.get("sigmas"))
        if not key or "scheduler" in self.inputs:
            return self.value("scheduler")
        kind = self.graph.kind(key)
        return "karras" if kind == "KarrasScheduler" else kind

    def others(self) -> dict[str, str]:
        """Return settings of the sampler and of other nodes that change the picture."""
        steps, last = self.value("steps"), self.value("end_at_step")
        ends = isinstance(steps, int) and isinstance(last, int) and last < steps
        found = pairs_of(start_at_step=self.value("start_at_step") or None, end_at_step=last if ends else None)
        for key in self.graph.nodes:
            inputs, kind = self.graph.inputs(key), self.graph.kind(key)
            if kind == "CLIPSetLastLayer":
                layer = self.graph.plain(inputs.get("stop_at_clip_layer"))
                found |= pairs_of(Clip_skip=-layer if isinstance(layer, int) else layer)
            elif kind == "VAELoader":
                found |= pairs_of(VAE=inputs.get("vae_name"))
        return found

    def text(self, name: str) -> str | None:
        """Return the text behind a conditioning; None if there is no one text, "" for a zeroed one."""
        value = self.inputs.get(name)
        sides = PASSED if name != "negative" else ("conditioning", "negative", "positive", "")
        for key in self.graph.chain(value, *sides):
            inputs, kind = self.graph.inputs(key), self.graph.kind(key)
            if kind == "ConditioningZeroOut":
                return ""
            texts = [inputs[each] for each in TEXTS if each in inputs]
            if texts:
                found = {as_text(self.graph.plain(each)) for each in texts} - {""}
                if any(self.graph.plain(each) is None and self.graph.linked(each) for each in texts):
                    return None
                return "" if not found else found.pop() if len(found) == 1 else None
            if sum(each.startswith("conditioning") for each in inputs) > 1:
                return None  # combined of several
            if kind != "Reroute":
                self.unread.append(f"The node {quote(kind, 60)} has no equivalent.")
        return None

    def size(self) -> Any:
        """Return width and height of the empty latent; None if it is none."""
        for key in _latents(self.graph, self.sampler):
            inputs, kind = self.graph.inputs(key), self.graph.kind(key)
            if "width" in inputs and "height" in inputs:
                batch = self.graph.plain(inputs.get("batch_size", 1))
                if as_text(batch) not in ("", "1"):
                    self.unread.append(f"The picture is one of a batch of {quote(batch, 20)}, so its noise differs.")
                return self.graph.plain(inputs["width"]), self.graph.plain(inputs["height"])
            if "VAEEncode" in kind or kind.startswith("LoadImage"):
                self.unread.append(f"The picture starts from an image ({quote(kind, 60)}), which has no equivalent.")
                return None
        return None

    def model(self) -> tuple[list[tuple[str, float]], Any]:
        """Return the LoRAs, in the order in which they are added, and the model's file."""
        loras: list[tuple[str, float]] = []
        for key in self.graph.chain(self.inputs.get("model"), "model", ""):
            inputs, kind = self.graph.inputs(key), self.graph.kind(key)
            if name := next((inputs[each] for each in MODEL_NAMES if isinstance(inputs.get(each), str)), None):
                return loras[::-1], name
            if isinstance(inputs.get("lora_name"), str):
                weight = self.graph.plain(inputs.get("strength_model", 1))
                loras.append((as_text(inputs["lora_name"]), as_weight(weight)))
                if self.graph.plain(inputs.get("strength_clip", weight)) != weight:
                    self.unread.append(f"The LoRA {quote(loras[-1][0], 60)} has another weight in the text encoder.")
            elif kind != "Reroute":
                self.unread.append(f"The node {quote(kind, 60)} has no equivalent.")
        return loras[::-1], None


def _unless(value: Any, usual: float) -> Any:
    return None if value == usual else value


READER = Reader("ComfyUI", ("prompt", "workflow"), read)
