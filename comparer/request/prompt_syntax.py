"""Prompt syntax of other programs, which a pipeline reads as plain words, and their LoRA tags. No torch."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from comparer.checkpoints.files.layout import LORA as IS_LORA
from comparer.checkpoints.find import FILES, loose_names, resolve_path
from comparer.checkpoints.sources import seen
from comparer.checkpoints.spec import Weights
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.parse import one_line, split_lines
from comparer.text import printable, quote

MOST = 200_000  # characters that are searched: 100 prompts of 2,000
NAMED = 6
SYNTAX = re.compile(
    r"""
    <[A-Za-z]\w*:[^<>]{1,300}>                                        # <lora:name:0.8>, <hypernet:…>, <random:…>
    | \bembedding:[^\s,:()<>\[\]{}]+                                  # ComfyUI
    | \((?:\s{0,9}\()+[^()]{0,300}\)*                                 # ((word))
    | \([^()]{1,2000}(?:(?<!\d):\s*[-+]?(?:\d+\.?\d*|\.\d+)|:\s*[-+]?\d*\.\d+)\s*\)    # (word:1.3), but not (16:9)
    | \([^()]{1,300}\)(?:[-+]+(?!\w)|\d*\.\d+)                        # (word)++ and (word)1.3 of InvokeAI
    | \b[A-Za-z]{2,}\+{2,}(?!\w)                                      # word++
    | \[[^\[\]]{1,300}\]                                              # [word], [a|b], [a:b:0.5]
    | \{[^{}]{1,300}\}                                                # {word} of NovelAI, {a|b}
    | __[\w/*-]{1,60}?__                                              # wildcards
    | -?(?<![\d.])\d[\d.]{0,8}::|::-?\d[\d.]{0,8}                     # 1.3::word:: of NovelAI, word::2 of Midjourney
    | (?<!\S)--[a-z]{1,12}\b(?:\ [\w.:]+)?                            # --ar 16:9 of Midjourney
    | \b(?:BREAK|AND)\b
    | \\[()\[\]{}]                                                    # an escaped bracket
    """,
    re.VERBOSE,
)
LITERAL = (
    "Weights such as (word:1.3) and other prompt syntax have no special meaning, because diffusers reads them as "
    "plain words."
)
LORA = re.compile(r"<lora:([^:<>]+)(?::([^<>]*))?>", re.IGNORECASE)
NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*")


@dataclass(frozen=True)
class LoraTag:
    """A tag such as ``<lora:style:0.8>``: the text, the LoRA's name, its weight (1 if none is written).

    ``rest`` is what follows the weight, such as another weight for the text encoder; it has no equivalent.
    """

    text: str
    name: str
    weight: float = 1.0
    rest: str = ""


def syntax_note(texts: Iterable[str]) -> str:
    """Name what other programs take for syntax and a pipeline for plain words; "" if there is nothing.

    >>> syntax_note(["a (red:1.3) star BREAK a sky"]).split(". ")[0]
    'Taken as plain words: (red:1.3), BREAK'
    """
    lines = split_lines("\n".join(texts)[:MOST])
    found = list(dict.fromkeys(one_line(match[0]) for line in lines for match in SYNTAX.finditer(line)))
    if not found:
        return ""
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"Taken as plain words: {', '.join(printable(quote(each, 40)) for each in found[:NAMED])}{more}. {LITERAL}"


def lora_tags(text: str) -> list[LoraTag]:
    """List the LoRA tags of a prompt.

    >>> lora_tags("a star <lora:style:.8> <lora:b> <lora:c:1:0.5>")[0]
    LoraTag(text='<lora:style:.8>', name='style', weight=0.8, rest='')
    """
    tags = []
    for match in LORA.finditer(text[:MOST]):
        values = match[2] or "1"
        if number := NUMBER.match(values):
            rest = values[number.end() :].lstrip(": ")
            tags.append(LoraTag(match[0], match[1].strip(), float(number[1]), rest))
        else:
            tags.append(LoraTag(match[0], match[1].strip(), 1.0, values))
    return tags


def find_lora(name: str, config: Config) -> str:
    """Return the LoRA of this name as it is listed: its file's name, with or without its ending, in any case.

    Raises:
        ComparerError: no file has this name, or it holds something else.
    """
    name = PurePath(name.strip().replace("\\", "/")).name
    plain = stem(name)
    for listed in loose_names(config) if plain else ():
        last = PurePath(listed).name
        if (last.lower() == name.lower() or stem(last) == plain) and _may_be_lora(listed, config):
            return listed
    raise ComparerError(f"There is no LoRA '{quote(name)}' here.")


def stem(name: str) -> str:
    """Return a file's name without the ending of weights, in lower case."""
    return (PurePath(name).stem if name.endswith(FILES) else name).lower()


def _may_be_lora(name: str, config: Config) -> bool:
    try:
        kind = seen(resolve_path(name, config, "LoRA"), tuple(root.resolve() for root in config.checkpoints)).kind
    except (ComparerError, OSError):
        return True  # loading it tells what is wrong
    return kind == IS_LORA


@dataclass(frozen=True)
class LoraOffer:
    """The tags of prompts that name a LoRA at hand, by its listed name, and a sentence for each other tag."""

    found: tuple[tuple[LoraTag, str], ...] = ()
    missing: tuple[str, ...] = ()

    def without_tags(self, text: str) -> str:
        """Return a text without the tags that were found; its lines stay."""
        for tag, _ in self.found:
            text = text.replace(tag.text, " ")
        return "\n".join(map(one_line, split_lines(text))) if self.found else text

    def line(self, weights: Weights) -> str:
        """Write weights with the LoRAs that were found, as ``checkpoints.spec.parse`` reads them."""
        return "; ".join([weights.text(), *(f"lora={file}:{tag.weight:g}" for tag, file in self.found)])

    @property
    def sentences(self) -> list[str]:
        """Say in one sentence each which LoRA a tag means, or that it is not here."""
        said = [
            f"{quote(tag.text)} is the LoRA {quote(file)} × {tag.weight:g}{_less(tag)}." for tag, file in self.found
        ]
        return said + list(self.missing)


def lora_offer(text: str, config: Config) -> LoraOffer:
    """Look for the LoRAs that a prompt's tags name."""
    found: list[tuple[LoraTag, str]] = []
    missing: list[str] = []
    for tag in {tag.text: tag for tag in lora_tags(text)}.values():
        try:
            found.append((tag, find_lora(tag.name, config)))
        except ComparerError as error:
            missing.append(str(error))
    return LoraOffer(tuple(found), tuple(dict.fromkeys(missing)))


def lora_hints(prompts: Iterable[str], weights: Weights, config: Config) -> list[str]:
    """Say in sentences for the command line which LoRAs the tags of prompts name, and how they are used."""
    offer = lora_offer("\n".join(prompts), config)
    how = f"To use it, remove the tag and write --checkpoint '{offer.line(weights)}'."
    return [*offer.sentences, *([how] if offer.found else [])]


def _less(tag: LoraTag) -> str:
    return f"; '{quote(tag.rest, 40)}' after its weight has no equivalent" if tag.rest else ""
