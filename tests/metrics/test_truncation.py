"""From which token on a prompt is cut, by the scorer and by the model, against what their tokenizers hand on."""

import pytest

from comparer.engine.scoring import record
from comparer.metrics import clip
from comparer.models.catalog import DEMO
from comparer.pipelines.caveats import unread


@pytest.fixture(scope="module")
def scorer():
    return clip.demo_scorer(DEMO / "scorer")


def words(number):
    return " ".join(["red"] * number)


def test_the_scorer_cuts_what_its_tokenizer_cuts(scorer):
    """Start and end take two tokens."""
    fits = scorer.context - 2
    for number in (1, fits - 1, fits, fits + 1, fits + 2):
        text = words(number) + " star"
        ids = scorer.tokenizer.encode(text)
        assert len(ids) == number + 1
        (read,) = scorer.tokenizer([text]).tolist()
        assert scorer.truncates(text) == (ids[-1] not in read)
    assert [scorer.truncates(words(number)) for number in (fits, fits + 1)] == [False, True]
    assert record(scorer, (words(fits), words(fits + 1), "a star")).truncated == (1,)


def test_the_model_reads_as_many_tokens_as_it_has(scorer):
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(DEMO / "tokenizer")
    context = tokenizer.model_max_length
    for number in (1, context - 2, context - 1, context + 3):
        text = words(number)
        read = tokenizer(text, truncation=True, max_length=context).input_ids
        lost = number - (len(read) - 2)
        assert unread(tokenizer, text, context) == words(lost)
        assert bool(lost) == (number > context - 2)
