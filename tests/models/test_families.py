"""Every model family through the real loader and the whole journey, on tiny pipelines with random weights."""

import json
import re
import threading
from dataclasses import replace
from shutil import copytree

import numpy as np
import pytest

from comparer.accelerators.base import denoiser_of
from comparer.checkpoints.find import resolve
from comparer.checkpoints.spec import parse
from comparer.config import Config
from comparer.engine.compare import compare
from comparer.engine.events import Progress
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.models.families.registry import FAMILIES
from comparer.models.tiny import save_tiny
from comparer.pipelines import loader
from comparer.pipelines.device import choose_dtype
from comparer.request.build import build_request
from helpers.runs import finish, pixels

U_NETS = [name for name, family in FAMILIES.items() if family.denoiser == "unet"]
PIXART = ("pixart-alpha", "pixart-sigma")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a tiny checkpoint of every family, as the installation's checkpoints."""
    root = tmp_path_factory.mktemp("families") / "tiny"
    for family in FAMILIES:
        save_tiny(family, root / family)
    yield root
    loader.free()


@pytest.fixture
def installed(tiny, tmp_path):
    """Return an installation that keeps every family's pipeline in memory: reading one takes longer than a picture."""
    return Config(checkpoints=(tiny,), runs=tmp_path / "runs", cached_pipelines=len(FAMILIES))


def request(config, family, **change):
    accelerators = ["DeepCache(interval=2)"] if family in U_NETS else []
    wanted = {"accelerators": accelerators, "steps": 3, "warmups": 0, "seeds": "1,2"}
    return build_request(config, "a (red) cat", f"tiny/{family}", **(wanted | change))


@pytest.mark.parametrize(
    "family", [pytest.param(f, marks=pytest.mark.full if f in ("sd2", "pixart-alpha") else ()) for f in FAMILIES]
)
def test_the_whole_journey(installed, family):
    asked = request(installed, family, negative_prompt="a dog", batch_size=2)
    native = 256 if family in PIXART else 128
    assert (asked.settings.width, asked.settings.guidance) == (native, FAMILIES[family].guidance)
    first = finish(asked, installed)
    seen = pixels(first)
    assert len(seen) == 2 * len(asked.arms) and all(picture.std() > 1 for picture in seen.values())
    assert not np.array_equal(seen[0, 0, 1], seen[0, 0, 2])
    record = first.comparison.checkpoint
    assert record["family"] == family
    assert {name.split("/")[0] for name in record["files"]} == {
        FAMILIES[family].denoiser,
        "vae",
        *FAMILIES[family].text,
    }
    assert first.comparison.calls[0].stages.keys() == {"text", "denoising", "decoding"}


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_the_pipelines_own_picture(installed, tiny, family):
    """The same call in a bare script: diffusers' class for this family, its documented arguments."""
    import diffusers
    import torch

    ours = pixels(finish(request(installed, family, accelerators=[], seeds="7"), installed))
    pipe = getattr(diffusers, FAMILIES[family].pipeline).from_pretrained(tiny / family)
    pipe.scheduler = samplers.scheduler(resolve(f"tiny/{family}", installed).model.sampler, pipe.scheduler.config)
    documented = {"clean_caption": False} if family in PIXART else {}
    made = pipe(
        "a (red) cat",
        num_inference_steps=3,
        guidance_scale=FAMILIES[family].guidance,
        generator=torch.Generator("cpu").manual_seed(7),
        **documented,
    )
    assert np.array_equal(np.asarray(made.images[0]), ours[0, 0, 7])


NAMES = [name for name in samplers.SAMPLERS if name != "LCM"]
# Two samplers on every family, together each of them; the rest of the product belongs to ``make test-all``.
MEETINGS = [
    pytest.param(family, sampler, marks=() if number in (place, (place + 5) % len(NAMES)) else pytest.mark.full)
    for place, family in enumerate(FAMILIES)
    for number, sampler in enumerate(NAMES)
]


def test_every_sampler_is_met_and_every_family_twice():
    met = [meeting.values for meeting in MEETINGS if not meeting.marks]
    assert {sampler for _, sampler in met} == set(NAMES)
    assert sorted(family for family, _ in met) == sorted([*FAMILIES, *FAMILIES])


@pytest.mark.parametrize(("family", "sampler"), MEETINGS)
def test_every_sampler_on_every_family_and_the_bar_is_full_at_the_end(installed, family, sampler):
    asked = request(installed, family, sampler=sampler.lower(), accelerators=[], seeds="1", size="64")
    assert asked.settings.sampler == sampler
    events = list(compare(asked, installed))
    told = [event.done for event in events if isinstance(event, Progress) and event.phase == "generating"]
    total = next(event.total for event in events if isinstance(event, Progress))
    assert told == list(range(total + 1))
    assert len(events[-1].comparison.calls[0].steps) == total
    scheduler = loader.load(resolve(f"tiny/{family}", installed), installed).pipe.scheduler
    assert len(scheduler.timesteps) == samplers.evaluations(sampler, 3)


@pytest.mark.parametrize(  # of the pipelines, those with a callback at the end of a step and those with another
    "family",
    [name if name in ("sdxl", "pixart-sigma") else pytest.param(name, marks=pytest.mark.full) for name in FAMILIES],
)
def test_stop_ends_within_a_step(installed, family):
    """It is asked for while the fifth evaluation is made, and there is no sixth."""
    stop, made = threading.Event(), []

    def watch(*_):
        made.append(len(made))
        if len(made) == 5:
            stop.set()

    denoiser = denoiser_of(loader.load(resolve(f"tiny/{family}", installed), installed).pipe)
    watching = denoiser.register_forward_pre_hook(watch)
    events = list(compare(request(installed, family, steps=30), installed, stop))
    watching.remove()
    assert len(made) == 5 and isinstance(events[-1], Progress)
    assert not list(installed.runs.glob("*/run.json")), "nothing was made, so nothing is kept"


def test_lcm_is_refused_unless_the_model_is_distilled_for_it(installed, tiny, tmp_path):
    with pytest.raises(ComparerError, match="Sampler LCM is for models distilled for it, but tiny/sd1 is not"):
        request(installed, "sd1", sampler="lcm")
    copytree(tiny / "sd1", tmp_path / "distilled" / "sd1")
    scheduler = tmp_path / "distilled" / "sd1" / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps(json.loads(scheduler.read_text()) | {"_class_name": "LCMScheduler"}))
    config = replace(installed, checkpoints=(tmp_path / "distilled",))
    asked = build_request(config, "a cat", "distilled/sd1", ["DeepCache"], steps=2, warmups=0)
    assert asked.settings.sampler == "LCM"
    assert len(finish(asked, config).comparison.shots) == 2


def test_guidance_rescale_changes_the_picture_where_there_is_one(installed):
    plain, rescaled = (request(installed, "sdxl", accelerators=[], seeds="1", guidance_rescale=v) for v in (0.0, 0.7))
    assert not np.array_equal(pixels(finish(plain, installed))[0, 0, 1], pixels(finish(rescaled, installed))[0, 0, 1])
    with pytest.raises(ComparerError, match="PixArt-Σ does not support guidance rescale"):
        request(installed, "pixart-sigma", guidance_rescale=0.7)
    with pytest.raises(ComparerError, match="Guidance rescale 2 is out of range"):
        request(installed, "sdxl", guidance_rescale=2)


def test_what_the_model_does_not_read_is_shown(installed):
    long = " ".join(f"w{number}" for number in range(60))
    done = finish(request(installed, "sdxl", accelerators=[], seeds="1", steps=1), installed)
    assert done.comparison.remarks == []
    asked = build_request(installed, f"{long}\nshort", "tiny/sdxl", [], negative_prompt=long, steps=1, warmups=0)
    prompt, negative = finish(asked, installed).comparison.remarks
    assert prompt.startswith("Prompt 1 is longer than the model's 77 tokens") and negative.startswith("The negative")
    lost = re.search("“(.+)”", prompt)[1]
    tokenizer = loader.load(resolve("tiny/sdxl", installed), installed).pipe.tokenizer
    count = lambda text: len(tokenizer(text).input_ids) - 2  # noqa: E731
    assert long.endswith(lost) and count(lost) == count(long) - 75


def test_pixart_reads_more_and_says_what_it_does_not(installed):
    text = "x" * 400  # a token a letter, and one for the word's beginning
    for family, context in (("pixart-alpha", 120), ("pixart-sigma", 300)):
        (said,) = finish(
            build_request(installed, text, f"tiny/{family}", [], steps=2, warmups=0), installed
        ).comparison.remarks
        assert f"{context} tokens" in said and len(re.search("“(x+)”", said)[1]) == 401 - (context - 1)


def test_pixart_says_which_shape_it_really_makes(installed):
    (said,) = finish(request(installed, "pixart-alpha", size="256x512", seeds="1"), installed).comparison.remarks
    assert "generates 256 × 512 at 176 × 352" in said
    done = finish(request(installed, "pixart-sigma", seeds="1"), installed)
    assert done.comparison.remarks == [] and pixels(done)[0, 0, 1].shape == (256, 256, 3)


def test_pixart_alpha_1024_with_its_size_conditions(installed, tmp_path):
    save_tiny("pixart-alpha", tmp_path / "large" / "alpha", sample_size=128)
    config = replace(installed, checkpoints=(tmp_path / "large",))
    done = finish(build_request(config, "a cat", "large/alpha", [], steps=2, warmups=0), config)
    assert pixels(done)[0, 0, 0].shape == (1024, 1024, 3)


def test_one_step_of_pixart_alpha_is_refused(installed):
    with pytest.raises(ComparerError, match="PixArt-α needs at least 2 steps, not 1"):
        request(installed, "pixart-alpha", steps=1)


def test_a_denoiser_alone_is_laid_over_the_pipeline_of_its_base(installed, tiny, tmp_path):
    """As the hub holds PixArt-Σ 512: the transformer in one repository, everything else in another."""
    from comparer.checkpoints.read import read_folder
    from comparer.checkpoints.sources import sources

    save_tiny("pixart-sigma", tmp_path / "other", seed=5)
    copytree(tmp_path / "other" / "transformer", tmp_path / "alone" / "transformer")
    checkpoint = read_folder(tmp_path / "alone", "alone", base=tiny / "pixart-sigma")
    pipe = loader.load(checkpoint, installed).pipe
    whole = loader.load(read_folder(tmp_path / "other", "other"), installed).pipe
    ours, theirs = (next(p.transformer.parameters()).detach().numpy() for p in (pipe, whole))
    assert np.array_equal(ours, theirs)
    read = {name: [file.name for file in source.files] for name, source in sources(checkpoint).items()}
    weights = ["diffusion_pytorch_model.safetensors"]
    assert read == {"transformer": weights, "vae": weights, "text_encoder": ["model.safetensors"]}


@pytest.mark.parametrize(
    ("family", "dtype"),
    [("sd1", "bfloat16"), ("sdxl", "float16"), pytest.param("pixart-alpha", "float16", marks=pytest.mark.full)],
)
def test_the_installations_dtype(installed, family, dtype):
    import torch

    config = replace(installed, dtype=dtype, vae="tiling")
    done = finish(request(config, family, steps=2, seeds="1"), config)
    pipe = loader.load(resolve(f"tiny/{family}", config), config).pipe
    assert getattr(pipe, FAMILIES[family].denoiser).dtype == getattr(torch, dtype) and pipe.vae.use_tiling
    environment = done.comparison.environment
    assert (environment["dtype"], environment["dtype_reason"], environment["vae"]) == (dtype, "as requested", "tiling")
    if family == "pixart-alpha":  # T5 overflows in float16: transformers keeps these layers in float32
        wide = [p.dtype for name, p in pipe.text_encoder.named_parameters() if ".wo." in name]
        assert wide and set(wide) == {torch.float32}


def test_the_dtype_of_a_gpu(installed):
    reasons = {f: choose_dtype(resolve(f"tiny/{f}", installed), "mps") for f in FAMILIES}
    assert reasons["sdxl"] == ("float16", "half precision on a GPU")
    assert reasons["pixart-sigma"][0] == "bfloat16" and "overflows in float16" in reasons["pixart-sigma"][1]


def test_offload_needs_a_gpu(installed):
    with pytest.raises(ComparerError, match="Offload 'model' needs a GPU"):
        finish(request(installed, "sd1"), replace(installed, offload="model", device="cpu"))


HALVES = ("sdxl", "pixart-alpha")  # each family in one precision here, in the other in make test-all


@pytest.mark.parametrize(
    ("family", "dtype"),
    [
        *(pytest.param(f, "float32", marks=pytest.mark.full if f in HALVES else ()) for f in FAMILIES),
        *(pytest.param(f, "float16", marks=() if f in HALVES else pytest.mark.full) for f in FAMILIES),
    ],
)
def test_tensors_and_buffers_are_those_of_diffusers_own_loader(installed, tiny, family, dtype):
    import diffusers
    import torch

    ours = loader.load(resolve(parse(f"tiny/{family}; dtype={dtype}"), installed), installed)
    kind = getattr(diffusers, FAMILIES[family].pipeline)
    theirs = kind.from_pretrained(tiny / family, local_files_only=True, torch_dtype=getattr(torch, dtype))
    for name in ours.components:
        mine, its = getattr(ours.pipe, name), getattr(theirs, name)
        for held, wanted in (
            (mine.state_dict(), its.state_dict()), (dict(mine.named_buffers()), dict(its.named_buffers())),
        ):  # fmt: skip
            assert held.keys() == wanted.keys()
            assert all(torch.equal(held[n], wanted[n]) and held[n].dtype == wanted[n].dtype for n in held), name
        assert not mine.training


def test_a_sampler_that_cannot_begin_from_no_signal_is_said(installed):
    from comparer.pipelines.caveats import remarks

    loaded = loader.load(resolve("tiny/sd1", installed), installed)
    loaded = replace(loaded, scheduler_config=loaded.scheduler_config | {"rescale_betas_zero_snr": True})
    settings = request(installed, "sd1").settings
    said = {name: remarks(loaded, replace(settings, sampler=name)) for name in ("DDIM", "PNDM")}
    assert not said["DDIM"] and "ztsnr" in said["PNDM"][0]
