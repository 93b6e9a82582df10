"""Read Draw Things' settings: JSON in the comment of XMP or EXIF, with ``c`` and ``uc`` as prompts."""

from collections.abc import Mapping

from comparer.errors import ComparerError
from comparer.request.readers.base import (
    Parameters,
    Reader,
    as_object,
    as_text,
    as_weight,
    pairs_of,
    without_equivalent,
)

KNOWN = ("c", "uc", "model", "sampler", "scale", "seed", "size", "steps", "seed_mode")


def read(texts: Mapping[str, str]) -> Parameters | None:
    """Read the settings; None if Draw Things did not write them."""
    found = (as_object(texts.get(key)) for key in ("UserComment", "parameters"))
    data = next((data for data in found if {"c", "uc", "sampler"} <= set(data)), None)
    if data is None:
        return None
    if not (prompt := as_text(data["c"])):
        raise ComparerError("its prompt is empty")
    pairs = pairs_of(
        Steps=data.get("steps"), Sampler=data.get("sampler"), CFG_scale=data.get("scale"), Seed=data.get("seed"),
        Model=data.get("model"), Size=tuple(as_text(data.get("size")).split("x")),
    )  # fmt: skip
    rest = {name: value for name, value in data.items() if (name, value) != ("strength", 1)}
    listed = data.get("lora")
    loras = [
        (as_text(row.get("model")), as_weight(row.get("weight")))
        for row in (listed if isinstance(listed, list) else [])
        if isinstance(row, dict)
    ]
    return Parameters(
        prompt, as_text(data["uc"]), pairs | without_equivalent(rest, KNOWN), READER.program,
        tuple(each for each in loras if each[0])[:16],
    )  # fmt: skip


READER = Reader("Draw Things", ("parameters",), read)
