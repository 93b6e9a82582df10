"""Write PNGs with their settings as text: A1111's ``parameters``, and the whole request as ``comparer``.

Other programs read the first; Comparer restores the request exactly from the second.
"""

import json
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import MAX_TEXT_CHUNK, PngImageFile, PngInfo

from comparer.atomic import replacing
from comparer.errors import ComparerError
from comparer.request.request import Request

CHUNK = "comparer"
NEGATIVE = "Negative prompt:"
COMPRESS_FROM = 4096  # bytes; short texts stay readable in a hex viewer


def parameters_line(request: Request, arm: int, prompt: int, seed: int, model_title: str, model_hash: str = "") -> str:
    """Format one image's settings as A1111 does.

    The prompt, a line ``Negative prompt: …`` if there is one, and a line of ``Name: value`` pairs. The arm's
    accelerators come last, joined by " + "; an arm without accelerators has no such pair. "Negative prompt:" inside a
    prompt gets a space before the colon, so that readers do not take it for the marker; CLIP reads the same words.

    Args:
        request: the request.
        arm: position in ``request.arms``.
        prompt: position in the settings' prompts.
        seed: the image's seed.
        model_title: display name of the model.
        model_hash: SHA-256 of the denoiser's file; A1111 writes the first ten digits.
    """
    s = request.settings_of(arm)
    pairs = {
        "Steps": s.steps,
        "Sampler": s.sampler,
        "CFG scale": f"{s.guidance:g}",
        "Seed": seed,
        "Size": f"{s.width}x{s.height}",
        "Model": model_title,
    }
    pairs |= {"Model hash": model_hash[:10]} if model_hash else {}
    pairs |= {} if s.weights.is_default else {"Weights": s.weights.text()}
    if accelerators := request.arms[arm].accelerators:
        pairs["Accelerator"] = " + ".join(map(str, accelerators))
    lines = [_inert(s.prompts[prompt])]
    if s.negative_prompt:
        lines.append(f"{NEGATIVE} {_inert(s.negative_prompt)}")
    lines.append(", ".join(f"{name}: {_quoted(str(value))}" for name, value in pairs.items()))
    return "\n".join(lines)


def request_text(request: Request, shot: tuple[int, int, int] | None = None) -> str:
    """Serialise the whole request as JSON, with the (arm, prompt number, seed) of a single image under "shot"."""
    data = request.to_json()
    if shot:
        data["shot"] = dict(zip(("arm", "prompt", "seed"), shot, strict=True))
    return json.dumps(data)  # ASCII, so that every string round-trips


def shot_texts(
    request: Request, arm: int, prompt: int, seed: int, model_title: str, model_hash: str = ""
) -> dict[str, str]:
    """Return both texts of one image, for ``save_png``; arguments as for ``parameters_line``."""
    return {
        "parameters": parameters_line(request, arm, prompt, seed, model_title, model_hash),
        CHUNK: request_text(request, (arm, prompt, seed)),
    }


def save_png(image: Image.Image, path: Path, texts: dict[str, str]) -> None:
    """Write a PNG with text chunks atomically.

    Latin-1 texts become tEXt, others iTXt; from 4 KiB up they are compressed (zTXt, iTXt). In texts that are not
    JSON, a character that no chunk can hold (NUL) becomes "?".

    Args:
        image: the image.
        path: the file; an existing file is replaced.
        texts: chunk name (1 to 79 Latin-1 characters) -> text.

    Raises:
        OSError: the file cannot be written.
    """
    info = PngInfo()
    for name, text in texts.items():
        data = text.replace("\0", "?").encode("utf-8", "replace")
        # Pillow refuses to read longer compressed texts.
        info.add_text(name, data.decode("utf-8"), zip=COMPRESS_FROM <= len(data) <= MAX_TEXT_CHUNK)
    with replacing(path) as partial:
        image.save(partial, format="PNG", pnginfo=info)


def read_request(path: Path) -> Request:
    """Read the request from an image or a grid that ``save_png`` wrote.

    Only the chunks before the pixels are read, so the size of a grid does not matter.

    Raises:
        ComparerError: the file is not a PNG, or its request is missing, damaged or out of range.
    """
    try:
        with PngImageFile(path) as image:
            text = image.info.get(CHUNK)
    except (OSError, SyntaxError, ValueError) as error:
        raise ComparerError(f"'{path.name}' cannot be read as a PNG: {error}.") from error
    if text is None:
        raise ComparerError(
            f"'{path.name}' contains no settings saved by Comparer: choose a picture or a grid that Comparer made."
        )
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ComparerError(f"'{path.name}' contains damaged settings: {error}.") from error
    return Request.from_json(data)


def _inert(prompt: str) -> str:
    return prompt.replace(NEGATIVE, NEGATIVE.replace(":", " :"))


def _quoted(value: str) -> str:
    """Quote a value as A1111's reader expects."""
    return json.dumps(value, ensure_ascii=False) if any(mark in value for mark in ",\n:") else value
