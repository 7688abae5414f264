"""TRL's own preparation of released shards, up to the first batch; nothing is trained. Needs the extra `train`."""

from typing import Any  # settings of a model

import pytest

import synthetic
from tests.releases import attempt, store
from tests.rows import said

trl = pytest.importorskip("trl", reason="TRL is not installed: make train")

from datasets import load_dataset  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks, about themselves

CALL = {"id": None, "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
TOOLS = '[{"type":"function","function":{"name":"add","parameters":{"type":"object","properties":{}}}}]'
CHAT = """{% if tools %}{{ tools | tojson }}
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.reasoning_content %}<think>
{{ message.reasoning_content }}
</think>

{% endif %}{{ message.content or '' }}{% for call in message.tool_calls or [] %}
{{ call.function.name }} {{ call.function.arguments }}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


@pytest.fixture
def tokenizer():
    """A tokenizer of bytes, with a chat template that shows reasoning."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<|im_start|>", "<|im_end|>", "<pad>"])
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<pad>", chat_template=CHAT)


def model(tokenizer):
    """As small as a model can be: nothing is trained."""
    size: dict[str, Any] = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **size))


def config_of(tmp_path, name, thinking):
    """A config of a release with calls, thinking and a wrong answer, as `datasets` loads it."""
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        f'thinking = "{thinking}"\n[sft_verified]\nkeep = [{{ rule = "verified" }}]\n'
        '[preference]\nkeep = [{ rule = "paired" }]\n'
    )
    called = [said("user", "1 + 1?"), said("assistant", None, tool_calls=[CALL]), said("tool", "2")]
    right = "the sum is found by counting on from two and that gives four"
    wrong = "nobody ever told me how numbers work here so I will guess it is nine"
    rows = [
        attempt(1, 0, messages=[*called, said("assistant", "2", reasoning_content="1 twice")], tools=TOOLS),
        attempt(2, 0, messages=[said("user", "2 + 2?"), said("assistant", right, reasoning_content="2 twice")]),
        attempt(
            2,
            1,
            messages=[said("user", "2 + 2?"), said("assistant", wrong, reasoning_content="a guess")],
            recorded_verdict=False,
            reward=0.0,
        ),
    ]
    synthetic.release(store(tmp_path / "store", rows), to=tmp_path / "r", recipe=recipe)
    files = str(tmp_path / "r" / "data" / name / "train-*.parquet")
    return load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))


def settings(tmp_path):
    return {
        "output_dir": str(tmp_path / "out"),
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "max_length": None,
    }


@pytest.mark.parametrize("thinking", ["field", "inline"])
def test_trl_prepares_sft_verified_with_the_reasoning_in_its_text(tmp_path, tokenizer, thinking):
    rows = config_of(tmp_path, "sft_verified", thinking)
    trainer = trl.SFTTrainer(
        model(tokenizer), trl.SFTConfig(**settings(tmp_path)), train_dataset=rows, processing_class=tokenizer
    )
    texts = sorted(tokenizer.decode(ids) for ids in trainer.train_dataset["input_ids"])
    assert len(texts) == 2
    assert "<think>\n2 twice\n</think>" in texts[0]
    assert "<think>\n1 twice\n</think>" in texts[1]
    assert 'add {"a":1}' in texts[1].replace(" :", ":").replace('": ', '":')


@pytest.mark.parametrize("thinking", ["field", "inline"])
def test_trl_prepares_preference_for_dpo_with_the_reasoning_on_both_sides(tmp_path, tokenizer, thinking):
    rows = config_of(tmp_path, "preference", thinking)
    trainer = trl.DPOTrainer(
        model(tokenizer),
        model(tokenizer),
        trl.DPOConfig(**settings(tmp_path)),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    (pair,) = trainer.train_dataset
    chosen, rejected = tokenizer.decode(pair["chosen_ids"]), tokenizer.decode(pair["rejected_ids"])
    assert "2 + 2?" in tokenizer.decode(pair["prompt_ids"])
    assert "2 twice" in chosen
    assert "gives four" in chosen
    assert "a guess" in rejected
    assert "gives four" not in rejected
