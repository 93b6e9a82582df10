"""The installation's configuration: folders, device, limits, address, visitors."""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path

from comparer.errors import ComparerError


@dataclass(frozen=True)
class Limits:
    """Limits of one request."""

    size: int = 2048  # pixels per side
    steps: int = 150
    guidance: float = 30.0
    pictures: int = 400  # of all arms together
    prompts: int = 100
    batch_size: int = 16
    prompt: int = 2000  # characters
    warmups: int = 10
    repeats: int = 20
    repeat_seconds: int = 600  # for extra timed turns
    queue: int = 20  # comparisons waiting in the queue


# For loading records that were made under other limits.
UNLIMITED = Limits(**dict.fromkeys((item.name for item in fields(Limits)), 10**9))


@dataclass(frozen=True)
class Config:
    """Configuration of the installation.

    Attributes:
        checkpoints: folders whose diffusers checkpoints may be loaded.
        runs: folder for run folders.
        device: "auto" (the GPU if there is one), or a torch device name.
        dtype: "auto" (float16 on a GPU, float32 on a CPU), "float32", "float16" or "bfloat16".
        offload: "none", or keep weights in main memory until needed: "model" (component by component) or "sequential"
            (layer by layer, slow).
        vae: decode "whole" images, one image at a time ("slicing") or in overlapping tiles ("tiling").
        cached_pipelines: maximum number of loaded pipelines in the cache.
        hub: whether models of the Hub may be downloaded and used.
        host, port: address of the page; another free port is used if this one is taken.
        auth: (user, password) pairs that may open the page; everybody if empty.
        public: visitors are strangers: nobody sees another's runs or the server's folders.
        mcp: whether the API is also served to agents.
        trusted: whether the requester owns the files: true on the command line, where a scorer's weights may be any
            file, never on the page or in the API.
        limits: limits of one request.
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
        """Return the error's message, without this machine's folders if the page is public."""
        text = str(error)
        if not self.public:
            return text
        for folder in (*self.checkpoints, self.runs):
            for path in filter(lambda path: path.name, (folder.resolve(), folder)):  # "." occurs in every sentence
                text = re.sub(_START + re.escape(str(path)), path.name.replace("\\", r"\\"), text)
        return re.sub(_START + r"/(?:[^\s'\"(),;/]+/)*", "", text)


# Start of an absolute path, but not inside a URL or a visitor's relative path such as ck/../../etc.
_START = r"(?<![\w:/.~-])"
