"""The demo as people load it: one line of diffusers, no argument."""

import numpy as np
import torch

from comparer.models.catalog import DEMO
from comparer.models.libraries import prepare

prepare()


def test_from_pretrained_without_a_dtype_runs_on_a_cpu():
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(str(DEMO))
    assert {pipe.unet.dtype, pipe.vae.dtype, pipe.text_encoder.dtype} == {torch.float32}
    made = pipe("a large red circle on a blue background", num_inference_steps=3).images[0]
    assert made.size == (128, 128) and np.asarray(made).std() > 5
