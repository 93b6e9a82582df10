"""Read SwarmUI's (StableSwarmUI's) ``parameters``: JSON with ``sui_image_params``."""

from collections.abc import Mapping
from itertools import zip_longest

from comparer.errors import ComparerError
from comparer.request.readers.base import (
    Parameters,
    Reader,
    as_object,
    as_text,
    as_weight,
    pairs_of,
    sampler_pairs,
    without_equivalent,
)

KNOWN = (
    "prompt", "negativeprompt", "model", "images", "seed", "steps", "cfgscale", "aspectratio", "width", "height",
    "sampler", "scheduler", "vae", "swarm_version", "loras", "loraweights", "automaticvae", "date", "generation_time",
    "resolution",
)  # fmt: skip


def read(texts: Mapping[str, str]) -> Parameters | None:
    """Read the settings; None if SwarmUI did not write them."""
    data = next(
        (
            found
            for key in READER.keys + ("UserComment",)
            if isinstance(found := as_object(texts.get(key)).get("sui_image_params"), dict)
        ),
        None,
    )
    if data is None:
        return None
    prompt = as_text(data.get("prompt"))
    if not prompt:
        raise ComparerError("its prompt is empty")
    vae = as_text(data.get("vae"))
    pairs = pairs_of(
        Steps=data.get("steps"), CFG_scale=data.get("cfgscale"), Seed=data.get("seed"),
        Size=(data.get("width"), data.get("height")), Model=data.get("model"),
        VAE="" if vae.lower() in ("none", "automatic") else vae,
    )  # fmt: skip
    pairs |= sampler_pairs(data.get("sampler"), data.get("scheduler"))
    names, weights = (each if isinstance(each := data.get(key), list) else [] for key in ("loras", "loraweights"))
    loras = [(as_text(name), as_weight(weight)) for name, weight in zip_longest(names, weights[: len(names)])]
    return Parameters(
        prompt, as_text(data.get("negativeprompt")), pairs | without_equivalent(data, KNOWN), READER.program,
        tuple(each for each in loras if each[0])[:16],
    )  # fmt: skip


READER = Reader("SwarmUI", ("parameters",), read)
