"""The installation's configuration: folders, device, limits, address, visitors."""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path

from comparer.errors import ComparerError


@dataclass(frozen=True)
class Limits:
    """What one request may ask of this installation."""

    size: int = 2048  # pixels a side
    steps: int = 150
    guidance: float = 30.0
    pictures: int = 400  # of all arms together
    prompts: int = 100
    batch_size: int = 16
    prompt: int = 2000  # characters
    warmups: int = 10
    repeats: int = 20
    queue: int = 20  # comparisons that wait for their turn


# What was made elsewhere, under other limits, can still be read.
UNLIMITED = Limits(**dict.fromkeys((item.name for item in fields(Limits)), 10**9))


@dataclass(frozen=True)
class Config:
    """The installation's choices.

    Attributes:
        checkpoints: folders whose diffusers checkpoints may be loaded.
        runs: where run folders are written.
        device: "auto" (the GPU where there is one), or a torch device name.
        dtype: "auto" (float16 on a GPU, float32 on a CPU), "float32", "float16" or "bfloat16".
        offload: "none", or where weights wait in main memory until needed: "model" (component by component) or
            "sequential" (layer by layer, slow).
        vae: decode "whole" pictures, one picture at a time ("slicing") or in overlapping tiles ("tiling").
        cached_pipelines: how many loaded pipelines are kept.
        hub: whether models of the hub may be fetched and used.
        host, port: where the page is served; another free port is taken when this one is not.
        auth: who may open the page, as (user, password); everybody if empty.
        public: visitors are strangers: nobody sees another's runs or the server's folders.
        mcp: whether the API is served to agents, too.
        trusted: whether the person who asks owns the files: true on the command line, where a scorer's
            weights may be any file, never on the page or in the API.
        limits: what one request may ask for.
    """

    checkpoints: tuple[Path, ...] = ()
    runs: Path = Path("runs")
    device: str = "auto"
    dtype: str = "auto"
    offload: str = "none"
    vae: str = "whole"
    cached_pipelines: int = 1
    hub: bool = True
    host: str = "127.0.0.1"
    port: int = 7860
    auth: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    public: bool = False
    mcp: bool = False
    trusted: bool = False
    limits: Limits = field(default_factory=Limits)

    def redact(self, error: ComparerError) -> str:
        """Return the error's sentence; for a public page without the folders of this machine."""
        text = str(error)
        if not self.public:
            return text
        for folder in (*self.checkpoints, self.runs):
            for path in filter(lambda path: path.name, (folder.resolve(), folder)):  # "." stands in every sentence
                text = re.sub(_START + re.escape(str(path)), path.name.replace("\\", r"\\"), text)
        return re.sub(_START + r"/(?:[^\s'\"(),;/]+/)*", "", text)


# Where an absolute path begins, and not the rest of an address or of what a visitor wrote, as ck/../../etc.
_START = r"(?<![\w:/.~-])"
