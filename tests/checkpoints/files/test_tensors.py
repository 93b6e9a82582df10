"""Weights files: what is listed of them without loading, which are refused and how, and that nothing in them runs."""

import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from time import monotonic

import pytest
import torch
from safetensors.torch import save_file

from comparer.checkpoints.files.tensors import Tensor, reading, stored
from comparer.checkpoints.files.weight_sets import groups
from comparer.errors import ComparerError
from comparer.models.catalog import DEMO
from helpers.runs import ROOT

UNET = DEMO / "unet" / "diffusion_pytorch_model.safetensors"


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Sequential(torch.nn.Linear(4, 2)))


def weights(scale=1.0):
    return OrderedDict((name, value * scale) for name, value in network().state_dict().items())


NAMES = ["0.weight", "0.bias", "1.0.weight", "1.0.bias"]


def listed(path):
    return {group.key: group for group in groups(stored(path))}


def test_a_safetensors_header_says_what_the_library_loads():
    from safetensors.torch import load_file

    loaded = load_file(UNET)
    found = stored(UNET)
    assert found.format == "safetensors"
    assert {t.name: (t.shape, f"torch.{t.dtype}") for t in found.tensors} == {
        name: (tuple(value.shape), str(value.dtype)) for name, value in loaded.items()
    }
    with reading(found.tensors) as read:
        assert all(torch.equal(read(tensor), loaded[tensor.name]) for tensor in found.tensors[:20])


def test_every_dtype_that_both_libraries_know_is_listed_and_read(tmp_path):
    kinds = [f"float{bits}" for bits in (64, 32, 16)] + ["bfloat16", "float8_e4m3fn", "float8_e5m2"]
    kinds += ["int64", "int32", "int16", "int8", "uint8", "bool", "complex64"]
    values = {kind: torch.ones(2, 3).to(getattr(torch, kind)) for kind in kinds}
    save_file(values, tmp_path / "x.safetensors")
    torch.save(values, tmp_path / "x.pt")
    for name in ("x.safetensors", "x.pt"):
        found = stored(tmp_path / name).tensors
        assert {tensor.name: tensor.dtype for tensor in found} == {kind: kind for kind in kinds}
        with reading(found) as read:
            assert all(read(tensor).dtype == values[tensor.name].dtype for tensor in found)


def raw_header(length, text=b"", data=b""):
    return length.to_bytes(8, "little") + text + data


def header(**entries):
    text = json.dumps(entries).encode()
    return raw_header(len(text), text, b"\0" * 16)


def entry(dtype="F32", shape=(4,), offsets=(0, 16)):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


DAMAGED = {
    "empty": (b"", "is empty: download or copy it again"),
    "garbage": (b"\xffgarbage" * 100, "cannot hold the header"),
    "a page": (b"<!DOCTYPE html>\n<html><title>404</title>", "is a web page, not weights: download it again"),
    "an answer": (b'{"error":"log in to download"}', """a text, not weights ('{"error":"log in to download"}')"""),
    "an archive": (b"Rar!\x1a\x07\0" + bytes(90), "is an archive: unpack it"),
    "absurd length": (raw_header(2**63), "cannot hold the header of 9223372036854775808 bytes"),
    "no header": (raw_header(0, b"{}"), "header of 0 bytes"),
    "no JSON": (raw_header(4, b"{{{{"), "damaged header"),
    "no text": (raw_header(4, b"\xff\xff\xff\xff"), "damaged header"),
    "deep": (raw_header(100_000, b"[" * 100_000), "damaged header"),
    "a list": (raw_header(2, b"[]"), "it is not a dictionary"),
    "cut off": (header(a=entry(shape=(400,), offsets=(0, 1600))), "incomplete or damaged"),
    "wrong size": (header(a=entry(shape=(5,))), "has 16 bytes"),
    "negative": (header(a=entry(shape=(-4,))), "whole numbers"),
    "backwards": (header(a=entry(offsets=(16, 0))), "has -16 bytes"),
    "unknown dtype": (header(a=entry(dtype="Q7")), "dtype Q7"),
    "no shape": (header(a={"dtype": "F32"}), "KeyError"),
    "a text": (header(a="b\nc"), "TypeError"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_safetensors_file_is_refused_in_one_sentence(name, tmp_path):
    content, words = DAMAGED[name]
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ComparerError) as refused:
        stored(path)
    assert words in str(refused.value) and "'x.safetensors'" in str(refused.value) and "\n" not in str(refused.value)


def test_a_header_longer_than_the_library_allows_is_not_read(tmp_path):
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.write((200_000_000).to_bytes(8, "little"))
        file.truncate(300_000_000)  # sparse: takes no room
    with pytest.raises(ComparerError, match="header of 200000000 bytes"):
        stored(path)


def test_listing_reads_the_header_alone(tmp_path):
    path, size = tmp_path / "x.safetensors", 40 * 2**30
    text = json.dumps({"a": entry(shape=(size // 4,), offsets=(0, size))}).encode()
    with path.open("wb") as file:
        file.write(raw_header(len(text), text))
        file.truncate(8 + len(text) + size)  # sparse: 40 GiB that take no room, and minutes to read
    began = monotonic()
    (tensor,) = stored(path).tensors
    assert tensor.elements == size // 4 and monotonic() - began < 1


def test_a_torch_file_stays_on_the_disk_until_a_tensor_is_read(tmp_path):
    torch.save({name: torch.zeros(25_000_000) for name in "ab"}, tmp_path / "x.pt")
    code = (
        "import resource, sys; from pathlib import Path; import torch\n"
        "from comparer.checkpoints.files.tensors import stored\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "found = stored(Path(sys.argv[1]))\n"
        "assert len(found.tensors) == 2\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    told = subprocess.run([sys.executable, "-c", code, tmp_path / "x.pt"], cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) < 60_000  # KiB, of a file of 200 MB


class Evil:
    """Would write a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("how", ["zip", "old", "pickle"])
@pytest.mark.parametrize("ending", [".pt", ".bin", ".ckpt", ".pth"])
def test_nothing_in_a_pickle_runs(how, ending, tmp_path):
    target, path = tmp_path / "ran", tmp_path / f"x{ending}"
    content = {"state_dict": weights(), "more": Evil(target)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(ComparerError) as refused:
        stored(path)
    told = str(refused.value)
    assert not target.exists()
    assert f"'x{ending}'" in told and "Use a safetensors file instead" in told and "\n" not in told
    assert how == "pickle" or "system" in told
    if how == "zip":  # the file does what the test says
        torch.load(path, weights_only=False)
        assert target.exists()


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"PK\x03\x04" + b"\0" * 100], ids=["empty", "text", "zip"])
def test_a_damaged_torch_file_is_refused_in_one_sentence(content, tmp_path):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(ComparerError, match="'x.pt'") as refused:
        stored(tmp_path / "x.pt")
    assert "\n" not in str(refused.value)


def test_a_script_is_refused(tmp_path):
    torch.jit.script(network()).save(str(tmp_path / "x.pt"))
    with pytest.raises(ComparerError, match="'x.pt'"):
        stored(tmp_path / "x.pt")


def test_a_tensor_of_more_values_than_the_file_has_is_refused(tmp_path):
    torch.save({"huge": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "x.pt")
    with pytest.raises(ComparerError, match="more values than"):
        stored(tmp_path / "x.pt")


def test_tensors_that_are_no_plain_values_are_refused(tmp_path):
    kinds = [torch.rand(2).to_sparse(), torch.quantize_per_tensor(torch.rand(2), 0.1, 0, torch.quint8),
             torch.empty(2, device="meta"), torch.nested.nested_tensor([torch.rand(2), torch.rand(3)])]  # fmt: skip
    for value in kinds:
        torch.save({"strange": value}, tmp_path / "x.pt")
        with pytest.raises(ComparerError, match="strange in 'x.pt' is a sparse, nested, quantised or empty tensor"):
            stored(tmp_path / "x.pt")


def test_a_list_of_endless_paths_is_refused(tmp_path):
    inside = [torch.ones(2)]
    for _ in range(20):  # 10²⁰ paths to one tensor
        inside = [inside] * 10
    torch.save({"w": torch.ones(3), "inside": inside}, tmp_path / "x.pt")
    with pytest.raises(ComparerError, match="more than 1000000 values, or itself"):
        stored(tmp_path / "x.pt")


def test_keys_that_are_the_same_text_are_refused(tmp_path):
    torch.save({1: torch.ones(1), "1": torch.zeros(1)}, tmp_path / "x.pt")
    with pytest.raises(ComparerError, match="the same text"):
        stored(tmp_path / "x.pt")


def test_a_file_that_is_gone_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ComparerError, match=r"'x\.pt' cannot be read: No such file"):
        stored(tmp_path / "x.pt")
    with pytest.raises(ComparerError, match=r"'x\.gguf' is not a weights file"):
        stored(tmp_path / "x.gguf")


def test_a_file_that_changed_since_it_was_listed_is_refused(tmp_path):
    save_file({"a": torch.ones(3)}, tmp_path / "x.safetensors")
    found = stored(tmp_path / "x.safetensors").tensors
    save_file({"a": torch.ones(4)}, tmp_path / "x.safetensors")
    with pytest.raises(ComparerError, match="shape is now"), reading(found) as read:
        read(found[0])


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
def test_a_dictionary_of_trainers_has_its_halves_by_key(zipped, tmp_path):
    content = {
        "generator": weights(),
        "generator_ema": weights(0.5),
        "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]},
        "lr_scheduler": {"last_epoch": 3},
        "step": 24_000,
    }
    torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    found = stored(tmp_path / "x.pt")
    assert found.not_read == ("optimizer", "lr_scheduler") and found.metadata == {"step": "24000"}
    raw, ema = groups(found)
    assert (raw.key, raw.half, ema.key, ema.half) == ("generator", "raw", "generator_ema", "ema")
    assert "generator_ema" in ema.how and "beside" in raw.how
    assert [tensor.name for tensor in raw.tensors] == [tensor.name for tensor in ema.tensors] == NAMES
    with reading([*raw.tensors, *ema.tensors]) as read:
        for one, other in zip(raw.tensors, ema.tensors, strict=True):
            assert torch.equal(read(one) * 0.5, read(other)) and torch.equal(read(one), weights()[one.name])


@pytest.mark.parametrize("key", ["generator", "state_dict", "model", "module", "unet"])
def test_weights_without_a_partner_are_of_no_known_half(key, tmp_path):
    torch.save({key: weights(), "epoch": 1}, tmp_path / "x.pt")
    (group,) = listed(tmp_path / "x.pt").values()
    assert (group.key, group.half, group.how) == (key, "", "")
    assert [tensor.name for tensor in group.tensors] == NAMES


@pytest.mark.parametrize(
    ("name", "key", "half"),
    [("ema.pt", "", "ema"), ("x.pt", "ema", "ema"), ("model_ema.pt", "model", "ema"), ("x.pt", "ema_0.9999", "ema"),
     ("non_ema.pt", "", "raw"), ("schema.pt", "schematic", ""), ("x.pt", "shadow_params", "ema")],
)  # fmt: skip
def test_a_half_is_recognised_by_key_or_file_name(name, key, half, tmp_path):
    torch.save({key: weights()} if key else weights(), tmp_path / name)
    (group,) = groups(stored(tmp_path / name))
    assert group.half == half and bool(group.how) == bool(half)


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("module.", ("module.",)),
        ("_orig_mod.", ("_orig_mod.",)),
        ("model.", ("model.",)),
        ("unet.", ("unet.",)),
        ("module._orig_mod.", ("module.", "_orig_mod.")),
        ("_orig_mod.module.", ("_orig_mod.", "module.")),
        ("model.diffusion_model.", ("model.diffusion_model.",)),
        ("model._fsdp_wrapped_module.", ("_fsdp_wrapped_module.", "model.")),
    ],
)
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_prefixes_of_wrappers_are_taken_off_and_told(prefix, said, ending, tmp_path):
    content = {f"{prefix}{name}": value.clone() for name, value in weights().items()}
    path = tmp_path / f"x{ending}"
    save_file(content, path) if ending == ".safetensors" else torch.save(content, path)
    (group,) = groups(stored(path))
    assert {tensor.name for tensor in group.tensors} == set(NAMES)
    assert set(group.stripped) == set(said)
    with reading(group.tensors) as read:
        assert all(torch.equal(read(tensor), weights()[tensor.name]) for tensor in group.tensors)


def test_a_prefix_that_some_names_lack_stays(tmp_path):
    save_file({"model.a": torch.ones(1), "b": torch.ones(2)}, tmp_path / "x.safetensors")
    (group,) = groups(stored(tmp_path / "x.safetensors"))
    assert {tensor.name for tensor in group.tensors} == {"model.a", "b"} and group.stripped == ()


def test_a_block_that_was_compiled_alone_gets_its_name_back(tmp_path):
    net = network()
    net[1] = torch.compile(net[1])
    torch.save(net.state_dict(), tmp_path / "x.bin")
    (group,) = groups(stored(tmp_path / "x.bin"))
    assert [tensor.name for tensor in group.tensors] == NAMES and group.stripped == ("_orig_mod.",)


def test_the_ema_of_diffusers_is_a_list_without_names(tmp_path):
    from diffusers.training_utils import EMAModel

    torch.save(EMAModel(network().parameters()).state_dict(), tmp_path / "x.pt")
    (group,) = groups(stored(tmp_path / "x.pt"))
    assert (group.key, group.half, group.named) == ("shadow_params", "ema", False)
    assert [tensor.shape for tensor in group.tensors] == [tuple(value.shape) for value in weights().values()]


@pytest.mark.parametrize("ending", [".ckpt", ".safetensors"])
def test_the_ema_half_of_the_original_layout_gets_its_names_back(ending, tmp_path):
    names = ["model.diffusion_model.input_blocks.0.0.weight", "model.diffusion_model.out.2.bias"]
    content = {name: torch.rand(3) for name in names} | {"first_stage_model.encoder.conv_in.weight": torch.rand(3)}
    content |= {f"model_ema.{name[6:].replace('.', '')}": content[name] * 0.5 for name in names}
    content |= {"model_ema.decay": torch.tensor(0.99), "model_ema.num_updates": torch.tensor(7)}
    path = tmp_path / f"x{ending}"
    save_file(content, path) if ending == ".safetensors" else torch.save({"state_dict": content}, path)
    raw, ema = groups(stored(path))
    assert (raw.half, ema.half) == ("raw", "ema") and "model_ema." in ema.how
    assert {t.name for t in raw.tensors} == {*names, "first_stage_model.encoder.conv_in.weight"}
    dotted = {name.removeprefix("model.diffusion_model."): name for name in names}
    assert {t.name for t in ema.tensors} == {*dotted, "decay", "num_updates"}
    with reading(ema.tensors) as read:
        for tensor in ema.tensors:
            assert tensor.name not in dotted or torch.equal(read(tensor), content[dotted[tensor.name]] * 0.5)


def test_a_listing_holds_plain_data(tmp_path):
    from dataclasses import asdict

    tensor = stored(UNET).tensors[0]
    back = json.loads(json.dumps(asdict(tensor)))
    assert Tensor(**back | {"shape": tuple(back["shape"]), "keys": tuple(back["keys"])}) == tensor
    assert Path(tensor.file) == UNET
