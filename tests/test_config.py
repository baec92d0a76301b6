"""Configuration files: every shipped one loads, and what is wrong with one is said with its line."""

from pathlib import Path

import pytest

from ratchet.config import load_yaml
from ratchet.errors import InputError
from ratchet_pipelines.run_config import RunConfig

CONFIGS = Path(__file__).parent.parent / "pipelines" / "configs"
QUICKSTART = (CONFIGS / "quickstart.yaml").read_text()


def _refusal(folder: Path, text: str) -> str:
    path = folder / "run.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_yaml(path, RunConfig)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize("path", [p for p in sorted(CONFIGS.glob("*.yaml")) if "policy" not in p.name], ids=str)
def test_every_shipped_run_configuration_loads_and_names_a_policy_that_is_there(path: Path) -> None:
    assert (path.parent / load_yaml(path, RunConfig).policy).is_file()


def _line(text: str, start: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if line.startswith(start))


@pytest.mark.parametrize(
    ("old", "new", "line_start", "complaint"),
    [
        ("rounds: 3", "roundz: 4", "roundz", "unknown key 'roundz'; expected one of name, seed, rounds"),
        ("rounds: 3", "rounds: four", "rounds", "rounds = 'four'; expected input should be a valid integer"),
        ("rounds: 3", "rounds: 0", "rounds", "rounds = 0; expected input should be greater than or equal to 1"),
        ("rounds: 3", "", "", "no 'rounds'"),
        ("{type: untrained}", "{type: untraind}", "model", "model"),
        ("train: 20000", "trian: 20000", "problems", "unknown key 'problems.arithmetic.trian'"),
        ("name: quickstart", "name: quickstart\nname: again", "name: again", "key 'name' again (first on line"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, old: str, new: str, line_start: str, complaint: str
) -> None:
    assert old in QUICKSTART
    text = QUICKSTART.replace(old, new, 1)
    refusal = _refusal(tmp_path, text)
    assert complaint in refusal
    if line_start:
        assert refusal.startswith(f":{_line(text, line_start)}: ")


def test_the_nearest_known_key_is_named(tmp_path: Path) -> None:
    assert _refusal(tmp_path, QUICKSTART.replace("trian", "x").replace("rounds:", "round:")).endswith(
        "did you mean 'rounds'?"
    )
    assert _refusal(tmp_path, QUICKSTART.replace("{experiment: ", "{experimnt: ")).endswith(
        "did you mean 'experiment'?"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", ":1: nothing; expected a YAML mapping"),
        ("- 1", ":1: a list; expected a YAML mapping"),
        ("a: [1", "not YAML"),
        ("a: !!python/object:os.system {}", "not YAML (could not determine a constructor"),
        ("[" * 5000, "not YAML"),
        ("a: \x00", "not YAML"),
    ],
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    assert complaint in _refusal(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_yaml(tmp_path / "none.yaml", RunConfig)
