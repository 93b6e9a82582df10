"""Pictures that carry their settings as text: A1111's ``parameters``, and the whole request as ``comparer``.

The first is what other programs read; the second is read back by this one, exactly.
"""

import json
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import MAX_TEXT_CHUNK, PngImageFile, PngInfo

from comparer.errors import ComparerError
from comparer.request.request import Request

CHUNK = "comparer"
NEGATIVE = "Negative prompt:"
COMPRESS_FROM = 4096  # bytes; short texts stay readable in a hex viewer


def parameters_line(request: Request, arm: int, prompt: int, seed: int, model_title: str, model_hash: str = "") -> str:
    """Write one picture's settings as A1111 does.

    The prompt, a line ``Negative prompt: …`` where there is one, and a line of ``Name: value`` pairs. The arm's
    accelerators come last, joined by " + "; an arm without any has no such pair. A prompt's own "Negative prompt:" gets
    a space before the colon, or readers would take what follows for one; CLIP reads the same words.

    Args:
        request: what was asked for.
        arm: position in ``request.arms``.
        prompt: position in the settings' prompts.
        seed: the picture's seed.
        model_title: what to call the model.
        model_hash: SHA-256 of the file that its denoiser is read from; A1111 writes the first ten digits.
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
    """Write the whole request as JSON, with the (arm, prompt number, seed) of a single picture under "shot"."""
    data = request.to_json()
    if shot:
        data["shot"] = dict(zip(("arm", "prompt", "seed"), shot, strict=True))
    return json.dumps(data)  # ASCII, so that any string at all comes back as it was


def shot_texts(
    request: Request, arm: int, prompt: int, seed: int, model_title: str, model_hash: str = ""
) -> dict[str, str]:
    """Return both texts of one picture, for ``save_png``; arguments as in ``parameters_line``."""
    return {
        "parameters": parameters_line(request, arm, prompt, seed, model_title, model_hash),
        CHUNK: request_text(request, (arm, prompt, seed)),
    }


def save_png(image: Image.Image, path: Path, texts: dict[str, str]) -> None:
    """Write a PNG with text chunks; a reader never sees half of one.

    Latin-1 texts become tEXt, others iTXt; from 4 KiB up they are compressed (zTXt, iTXt). In what is
    not JSON, a character that no chunk can hold (NUL) becomes "?".

    Args:
        image: the picture.
        path: the file, replaced if it is there.
        texts: chunk name (1 to 79 Latin-1 characters) -> text.

    Raises:
        OSError: the file cannot be written.
    """
    info = PngInfo()
    for name, text in texts.items():
        data = text.replace("\0", "?").encode("utf-8", "replace")
        # Pillow refuses to read compressed texts that are longer than this.
        info.add_text(name, data.decode("utf-8"), zip=COMPRESS_FROM <= len(data) <= MAX_TEXT_CHUNK)
    partial = path.with_name(path.name + ".partial")
    try:
        image.save(partial, format="PNG", pnginfo=info)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_request(path: Path) -> Request:
    """Read the request back from a picture or a grid that ``save_png`` wrote.

    Only what stands before the pixels is read, so a grid of any size is cheap.

    Raises:
        ComparerError: the file is no PNG, carries no request, or one that is damaged or out of range.
    """
    try:
        with PngImageFile(path) as image:
            text = image.info.get(CHUNK)
    except (OSError, SyntaxError, ValueError) as error:
        raise ComparerError(f"'{path.name}' cannot be read as a PNG: {error}.") from error
    if text is None:
        raise ComparerError(f"'{path.name}' carries no request of Comparer's: choose a picture or a grid that it made.")
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ComparerError(f"'{path.name}' carries a damaged request: {error}.") from error
    return Request.from_json(data)


def _inert(prompt: str) -> str:
    return prompt.replace(NEGATIVE, NEGATIVE.replace(":", " :"))


def _quoted(value: str) -> str:
    """Quote a value as A1111's reader expects."""
    return json.dumps(value, ensure_ascii=False) if any(mark in value for mark in ",\n:") else value
