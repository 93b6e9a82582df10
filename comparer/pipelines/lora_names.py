"""The keys of a LoRA under the names of the pipeline's own modules, where their place is unambiguous. No torch."""

import re
from collections import Counter
from collections.abc import Iterable

from comparer.checkpoints.files.components import kohya_component, lora_place

# What PEFT, torch.compile, DistributedDataParallel and ComfyUI's layout put around a layer's own name.
_WRAPPERS = re.compile(
    r"(?:^|(?<=\.))(?:base_model\.model|_orig_mod|_fsdp_wrapped_module|module|model\.diffusion_model|diffusion_model)\."
)
KEY = re.compile(r"(?P<layer>.+?)\.(?P<side>lora_[AB]|lora[._](?:down|up))(?:\.(?P<adapter>\w+))?\.weight")
_PROCESSOR = re.compile(r"\.processor\.to_(q|k|v|out)_lora\.(down|up)\.weight$")  # diffusers of 2023
_TEXT = "text_model."  # transformers 5 has the text model's layers without this word


def plain_names(names: Iterable[str], modules: dict[str, set[str]], denoiser: str) -> dict[str, str]:
    """Return the name of each key without what training loops, PEFT and torch.compile leave in it.

    A key is renamed only where its place is then unambiguous: the layer exists in the component that the key names or,
    without one, in exactly one component. Kohya's names are translated if all of them are those of layers; else they
    stay, and diffusers reads those of the original layout.

    Args:
        names: the keys of a LoRA.
        modules: by component, the names of its modules.
        denoiser: the component of keys that begin with ``diffusion_model.``.

    Returns:
        By name; a name that stays is its own.

    >>> plain_names(["unet._orig_mod.a.lora_A.default.weight"], {"unet": {"a"}}, "unet")
    {'unet._orig_mod.a.lora_A.default.weight': 'unet.a.lora_A.weight'}
    >>> plain_names(["lora_unet_a_b.lora_up.weight"], {"unet": {"a.b"}}, "unet")
    {'lora_unet_a_b.lora_up.weight': 'unet.a.b.lora_B.weight'}
    """
    names = list(names)
    keys = {name: found for name in names if (found := KEY.fullmatch(_PROCESSOR.sub(_attention, name)))}
    adapters = {found["adapter"] for found in keys.values()}
    made = {name: name for name in names}
    if len(adapters) == 1:
        homes = {name: _home(found["layer"], modules, denoiser) for name, found in keys.items()}
        homes |= {name: "" for name in homes if kohya_component(name)} | _kohya(keys, modules)
        made |= {name: f"{homes[name]}.{_side(name)}.weight" for name in keys if homes[name]}
    several = {new for new, count in Counter(made.values()).items() if count > 1}
    return {name: name if new in several else new for name, new in made.items()}


def _attention(found: re.Match[str]) -> str:
    return f".to_{'out.0' if found[1] == 'out' else found[1]}.lora.{found[2]}.weight"


def _side(name: str) -> str:
    return "lora_A" if lora_place(name)[1] == "down" else "lora_B"


def _home(layer: str, modules: dict[str, set[str]], denoiser: str) -> str:
    """Return the component and the layer that a key names; "" if none or several can be meant."""
    wrapped, layer = layer, _WRAPPERS.sub("", layer)
    first, _, rest = layer.partition(".")
    if rest not in modules.get(first, ()) and (short := rest.removeprefix(_TEXT)) in modules.get(first, ()):
        rest = short
    homes = [each for each, inside in modules.items() if (rest if first == each else layer) in inside]
    if first in modules:
        homes, layer = [each for each in homes if each == first], rest
    elif "diffusion_model." in wrapped:
        homes = [each for each in homes if each == denoiser]
    return f"{homes[0]}.{layer}" if len(homes) == 1 else ""


def _kohya(keys: Iterable[str], modules: dict[str, set[str]]) -> dict[str, str]:
    """Return the component and the layer of every key of kohya's, whose layers have no dots; {} if one has none."""
    plain = {component: _undotted(inside) for component, inside in modules.items()}
    homes = {}
    for name in keys:
        if not (prefix_and_component := kohya_component(name)):
            continue
        prefix, component = prefix_and_component
        inside, layer = plain.get(component, {}), lora_place(name)[0].removeprefix(prefix)
        found = inside.get(layer) or inside.get(layer.removeprefix("text_model_"))
        if not found:
            return {}
        homes[name] = f"{component}.{found}"
    return homes


def _undotted(modules: Iterable[str]) -> dict[str, str]:
    """Return modules by their names with "_" for dots; those that are then alike are left out."""
    spelt = Counter(module.replace(".", "_") for module in modules)
    return {module.replace(".", "_"): module for module in modules if spelt[module.replace(".", "_")] == 1}
