"""T-GATE as the package's README calls it."""

import copy

from helpers import tiny_pipelines as tiny

LOADERS = {
    "sd1": "TgateSDLoader",
    "sd2": "TgateSDLoader",
    "sdxl": "TgateSDXLLoader",
    "pixart-alpha": "TgatePixArtAlphaLoader",
    "pixart-sigma": "TgatePixArtSigmaLoader",
}


def by_the_package(family, settings, loader="", loading=None, **parameters):
    """Do as tgate's README says: load the loader, call ``pipe.tgate``."""
    import tgate

    pipe = copy.deepcopy(tiny.pipeline(family))
    pipe.scheduler = tiny.scheduler(family, settings.sampler)
    loaded = getattr(tgate, loader or LOADERS[family])(pipe, **loading or {})
    each = {"num_images_per_prompt": parameters.pop("num_images_per_prompt", 1)}
    return loaded.tgate(**tiny.arguments(pipe, settings, **each), **parameters).images
