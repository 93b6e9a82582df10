"""Fingerprints: what leaves them as they are, and what changes them; hashes of files; health and distances."""

import hashlib
import json
import math
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from comparer.checkpoints.files.layout import choose
from comparer.checkpoints.files.scan import look
from comparer.checkpoints.files.tensors import stored
from comparer.checkpoints.inspection import fingerprint as fingerprints
from comparer.checkpoints.inspection.fingerprint import Hashes, digest, equal, in_common
from comparer.checkpoints.inspection.health import check, distances
from comparer.errors import ComparerError
from comparer.models.catalog import DEMO
from helpers.original_layout import original
from helpers.tiny_pipelines import pipeline

UNET = DEMO / "unet" / "diffusion_pytorch_model.safetensors"
RAW = UNET.with_name("diffusion_pytorch_model.non_ema.safetensors")


def of(content, folder, name="x.safetensors"):
    """Write tensors and return the fingerprint of what is listed of the file."""
    path = folder / name
    content = {key: value.contiguous() for key, value in content.items()}
    save_file(content, path) if path.suffix == ".safetensors" else torch.save(content, path)
    return fingerprints.of(stored(path).tensors)


@pytest.fixture(scope="module")
def weights():
    return load_file(UNET)


@pytest.fixture(scope="module")
def plain():
    return fingerprints.of(stored(UNET).tensors)


HARMLESS = {
    "as float32": lambda name, value: (name, value.float()),
    "as float64": lambda name, value: (name, value.double()),
    "renamed": lambda name, value: (f"net.{name.replace('down_blocks', 'd')}", value),
    "1x1 convolutions as matrices": lambda name, value: (name, value.reshape(value.shape[0], -1)),
}


@pytest.mark.parametrize("how", HARMLESS)
@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
def test_it_is_unchanged_by_harmless_rewriting(how, ending, weights, plain, tmp_path):
    changed = dict(HARMLESS[how](name, value) for name, value in reversed(weights.items()))
    found = of(changed, tmp_path, f"x{ending}")
    assert found.values == plain.values and equal(found, plain)
    assert (found.names == plain.names) == (how != "renamed")


def test_it_is_unchanged_by_sharding_and_by_the_tool_that_wrote_it(tmp_path):
    pipe = pipeline("sd1")
    pipe.save_pretrained(tmp_path / "one")
    pipe.save_pretrained(tmp_path / "many", max_shard_size="200KB")
    pipe.save_pretrained(tmp_path / "old", safe_serialization=False)
    one, many, old = (look(tmp_path / name) for name in ("one", "many", "old"))
    assert max(len({t.file for t in part.tensors}) for part in many.parts) > 1
    for component in ("unet", "vae", "text_encoder"):
        values = {fingerprints.of(choose(each, component)[0].tensors).names for each in (one, many, old)}
        assert len(values) == 1


def test_it_is_unchanged_by_diffusers_conversion_from_the_original_layout(tmp_path):
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    unet = pipeline("sd1").unet
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    there = original(before)
    back = convert_ldm_unet_checkpoint(dict(there), dict(unet.config))
    assert back.keys() == before.keys() and all(torch.equal(back[name], before[name]) for name in before)
    save_file(there, tmp_path / "original.safetensors")
    (part,) = look(tmp_path / "original.safetensors").parts
    found = fingerprints.of(part.tensors)
    assert found.digests.keys().isdisjoint(before) and equal(found, of(back, tmp_path))


def test_joined_attention_and_transposed_projection_of_the_original_text_encoders(tmp_path):
    q, k, v, bias, projection = torch.rand(4, 4), torch.rand(4, 4), torch.rand(4, 4), torch.rand(12), torch.rand(4, 6)
    theirs = {"attn.in_proj_weight": torch.cat([q, k, v]), "attn.in_proj_bias": bias, "text_projection": projection}
    ours = {"q_proj.weight": q, "k_proj.weight": k, "v_proj.weight": v, "text_projection.weight": projection.T}
    ours |= {f"{name}_proj.bias": part for name, part in zip("qkv", bias.chunk(3), strict=True)}
    assert equal(of(theirs, tmp_path), of(ours, tmp_path))
    swapped = {"q_proj.weight": k, "k_proj.weight": q}
    assert of(ours, tmp_path).names != of(ours | swapped, tmp_path).names


def test_tied_and_bookkeeping_tensors_do_not_count(weights, plain, tmp_path):
    first = next(iter(weights.values()))
    more = {"again.weight": first.clone(), "embeddings.position_ids": torch.arange(77), "decay": torch.tensor(0.99)}
    assert of(weights | more, tmp_path).values == plain.values


CHANGES = {
    "one bit": lambda value: (value.flatten()[:1].view(torch.int16).bitwise_xor_(1), value)[1],
    "order of values": lambda value: value.flatten().flip(0).reshape(value.shape),
    "rounded": lambda value: value.to(torch.bfloat16),
    "one value less": lambda value: value.flatten()[1:],
}


@pytest.mark.parametrize("how", CHANGES)
def test_it_changes_with_any_value(how, weights, plain, tmp_path):
    changed = CHANGES[how](weights["conv_in.weight"].clone())
    found = of(weights | {"conv_in.weight": changed}, tmp_path)
    assert found.values != plain.values and not equal(found, plain)
    assert in_common(found, plain) == (len(weights) - 1, 1, 1)


def test_ema_and_raw_differ_and_a_missing_tensor_shows(weights, plain, tmp_path):
    assert fingerprints.of(stored(RAW).tensors).values != plain.values
    less = {name: value for name, value in weights.items() if name != "conv_in.weight"}
    assert of(less, tmp_path).values != plain.values


def test_tensors_that_swapped_names_are_told_where_both_use_the_names(weights, plain, tmp_path):
    key, query = (f"mid_block.attentions.0.transformer_blocks.0.attn1.to_{x}.weight" for x in "kq")
    found = of(weights | {key: weights[query], query: weights[key]}, tmp_path)
    assert found.values == plain.values and not equal(found, plain)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2"])
def test_every_value_of_a_dtype_survives_a_wider_one(dtype):
    kind = getattr(torch, dtype)
    if kind.itemsize < 4:  # all bit patterns
        bits = {1: torch.uint8, 2: torch.int16}[kind.itemsize]
        value = torch.arange(-(2**15), 2**15).to(torch.int16)
        value = (value % 256).to(bits)[:256] if bits is torch.uint8 else value
        value = value.view(kind)
        value = value[value.float().isfinite()]
    else:
        value = torch.cat([torch.randn(5000, dtype=kind), torch.tensor([0.0, -0.0, 1e-40, 3e38, math.inf], dtype=kind)])
    wider = [value.double()] + ([value.float()] if kind.itemsize < 8 else [])
    assert {digest("x", each) for each in wider} == {digest("x", value)}
    assert digest("x", -value.double()) != digest("x", value)


def test_a_small_difference_late_in_a_large_tensor_is_seen():
    half = torch.randn(100_000).half()
    other = half.float()
    other[99_999] += 1e-6
    assert digest("x", half.float()) == digest("x", half) != digest("x", other)


def test_hashes_are_those_of_the_library_and_kept(tmp_path):
    path, cache = tmp_path / "x.bin", tmp_path / "new" / "hashes.json"
    path.write_bytes(os.urandom(9_000_000))
    made = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Hashes(cache).of(path) == made and Hashes().of(path) == made
    kept = json.loads(cache.read_text())
    (entry,) = kept.values()
    assert entry == [9_000_000, path.stat().st_mtime_ns, made]
    cache.write_text(json.dumps({key: [*entry[:2], "kept"] for key in kept}))
    assert Hashes(cache).of(path) == "kept"
    os.utime(path, (1, 1))
    assert Hashes(cache).of(path) == made


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000, '{"x": 1}'])
def test_a_damaged_cache_is_made_anew(content, tmp_path):
    path, cache = tmp_path / "x.bin", tmp_path / "hashes.json"
    path.write_bytes(b"abc")
    cache.write_text(content)
    assert Hashes(cache).of(path) == hashlib.sha256(b"abc").hexdigest()
    assert str(path) in json.loads(cache.read_text())
    cache.write_text(json.dumps({str(path): 7}))
    assert Hashes(cache).of(path) == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(ComparerError, match="'none' cannot be read"):
        Hashes(cache).of(tmp_path / "none")


def test_health_names_what_is_wrong_and_nothing_else(tmp_path):
    content = {
        "good": torch.randn(10),
        "nan": torch.tensor([1.0, math.nan, math.inf]),
        "all_nan": torch.full((3,), math.nan),
        "zero": torch.zeros(4),
        "ones": torch.ones(4),
        "one": torch.ones(1),
        "nearly": torch.tensor([1.0, 1.0 + 2**-20]),
        "tiny": torch.tensor([0.0, 1e-30]),
        "large": torch.tensor([1.0, -70_000.0]),
        "edge": torch.tensor([1.0, 65504.0]),
        "huge": torch.tensor([1.0, 3.4e38]),
        "half": torch.tensor([1.0, -2.0]).half(),
        "double": torch.tensor([1.0, 1e300], dtype=torch.float64),
        "count": torch.zeros(3, dtype=torch.int64),
        "empty": torch.zeros(0),
        "decay": torch.zeros(1),
    }
    save_file(content, tmp_path / "x.safetensors")
    found = check(stored(tmp_path / "x.safetensors").tensors)
    assert found.tensors == 13 and not found.sound
    assert found.not_finite == {"nan": 2, "all_nan": 3}
    assert found.zero == ["zero"] and found.constant == ["ones"]
    assert set(found.beyond["float16"]) == {"large", "huge", "double"}
    assert set(found.beyond["bfloat16"]) == {"huge", "double"}
    assert found.beyond["float16"]["large"] == 70_000 and found.largest == 1e300


def test_the_demo_is_sound():
    found = check(stored(UNET).tensors)
    assert found.sound and not found.zero and not any(found.beyond.values()) and found.tensors == 326


def test_a_set_of_zeros_is_not_sound(tmp_path):
    save_file({"a": torch.zeros(3), "b": torch.zeros(2)}, tmp_path / "x.safetensors")
    assert not check(stored(tmp_path / "x.safetensors").tensors).sound


def test_distances_by_block(tmp_path):
    raw = {"down_blocks.0.a": torch.tensor([3.0, 4.0]), "down_blocks.0.b": torch.zeros(1), "mid_block.a": torch.ones(2),
           "zero.a": torch.zeros(2), "both_zero.a": torch.zeros(2)}  # fmt: skip
    raw |= {"only": torch.ones(1), "size": torch.ones(2)}
    ema = raw | {"down_blocks.0.a": torch.tensor([3.0, 4.5]).half(), "zero.a": torch.ones(2), "size": torch.ones(3),
                 "more": torch.ones(1)}  # fmt: skip
    del ema["only"]
    save_file(raw, tmp_path / "raw.safetensors")
    save_file(ema, tmp_path / "ema.safetensors")
    one, other = (stored(tmp_path / f"{name}.safetensors").tensors for name in ("raw", "ema"))
    found = distances(one, other)
    assert {block.name: block.distance for block in found.blocks} == {
        "down_blocks.0": pytest.approx(0.1), "mid_block": 0.0, "zero": None, "both_zero": 0.0
    }  # fmt: skip
    assert found.whole == pytest.approx(math.sqrt(2.25 / 27))
    assert (found.only_first, found.only_second, found.other_shape) == (("only",), ("more",), ("size",))
    assert found.pairs == 5 and distances(one, one).whole == 0.0
    assert distances((), other).whole is None


def test_a_distance_with_a_number_that_is_none_is_not_known(tmp_path):
    save_file({"a": torch.tensor([math.nan])}, tmp_path / "x.safetensors")
    save_file({"a": torch.ones(1)}, tmp_path / "y.safetensors")
    one, other = (stored(tmp_path / f"{name}.safetensors").tensors for name in "xy")
    assert distances(one, other).whole is None and distances(other, one).whole is None


def test_distances_agree_with_plain_arithmetic(weights):
    raw, whole = load_file(RAW), [0.0, 0.0]
    for name, value in raw.items():
        whole[0] += float((weights[name].double() - value.double()).square().sum())
        whole[1] += float(value.double().square().sum())
    assert distances(stored(RAW).tensors, stored(UNET).tensors).whole == pytest.approx(math.sqrt(whole[0] / whole[1]))
