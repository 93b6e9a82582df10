"""The training loop resumes without a trace, and the two tokenizers read alike."""

from pathlib import Path

import pytest
import torch

from comparer.demo import loop, networks
from comparer.demo.scenes import EXAMPLES
from comparer.models.libraries import prepare

PLAN = loop.TrainingPlan("tiny", steps=20, batch=4, peak=1e-2, warmup=5, flat=0.3, ema=0.9)
BREAK = 11


class Interrupted(Exception):
    """The machine went away."""


def train(folder: Path, init: int, stop: int | None = None) -> tuple[dict, dict, list[int]]:
    """Train a tiny network on random batches. Returns weights, averaged weights and the steps that were run."""
    torch.manual_seed(init)
    module = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1))
    steps: list[int] = []

    def loss_at(step: int) -> torch.Tensor:
        if step == stop:
            raise Interrupted
        steps.append(step)
        batch = torch.randn(PLAN.batch, 3)
        return (module(batch) - batch.sum(1, keepdim=True)).square().mean()

    ema, record = loop.fit(PLAN, module, loss_at, folder, "cpu")
    assert record["steps"] == PLAN.steps
    return module.state_dict(), ema, steps


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY", -1)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    weights, ema, steps = train(whole, init=1)
    assert steps == list(range(PLAN.steps))
    with pytest.raises(Interrupted):
        train(broken, init=1, stop=BREAK)
    # Another initialisation: whatever agrees in the end came from the file.
    resumed, resumed_ema, rest = train(broken, init=2)
    assert rest == list(range(BREAK, PLAN.steps))
    for key, value in weights.items():
        assert torch.equal(resumed[key], value), key
        assert torch.equal(resumed_ema[key], ema[key]), key
        assert not torch.equal(ema[key], value), key


def test_a_finished_training_is_loaded_not_repeated(tmp_path: Path) -> None:
    weights, ema, _ = train(tmp_path, init=1)
    loaded, loaded_ema, steps = train(tmp_path, init=2)
    assert steps == []
    assert all(torch.equal(loaded[key], weights[key]) for key in weights)
    assert all(torch.equal(loaded_ema[key], ema[key]) for key in ema)


def test_both_tokenizers_read_every_word_alike(tmp_path: Path) -> None:
    prepare()
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPTokenizer

    size = networks.write_tokenizers(tmp_path / "tokenizer", tmp_path / "scorer")
    generator = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer")
    scorer = SimpleTokenizer(str(tmp_path / "scorer" / "bpe.txt.gz"), context_length=networks.CONTEXT)
    assert generator.vocab_size == scorer.vocab_size == size
    for text in [*networks.VOCABULARY_WORDS, *EXAMPLES, "A Dragon, in 2 colours!"]:
        ids = generator(text).input_ids
        padded = scorer(text)[0].tolist()
        assert padded[: len(ids)] == ids and not any(padded[len(ids) :]), text
        assert (ids[0], ids[-1]) == (size - 2, size - 1)


def test_the_cut_down_vocabulary_splits_words_as_clip_does(tmp_path: Path) -> None:
    prepare()
    from open_clip.tokenizer import SimpleTokenizer

    networks.write_tokenizers(tmp_path / "tokenizer", tmp_path / "scorer")
    cut, whole = SimpleTokenizer(str(tmp_path / "scorer" / "bpe.txt.gz")), SimpleTokenizer()
    for word in networks.VOCABULARY_WORDS:
        assert [cut.decoder[i] for i in cut.encode(word)] == [whole.decoder[i] for i in whole.encode(word)]
