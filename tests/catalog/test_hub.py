"""KerasHub's names: listed where it is installed, readable everywhere, never imported by a page."""

import sys

import pytest

from segcore.catalog import ALL_ENCODERS, ENCODERS, hub
from segcore.cli import main
from segcore.config import ModelConfig, TrainConfig, from_json, to_json
from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.workspace.costs import network_cost

PRESETS = """
backbone_presets = {
    "resnet_vd_18_imagenet": {
        "metadata": {"description": "18 layers,\\n two of them.", "params": 11722824, "path": "resnet"},
        "kaggle_handle": "kaggle://x/y",
    },
    "resnet_huge": {"metadata": {"description": "Huge.", "params": 9e9}},
}
together = {**backbone_presets}
raise RuntimeError("imported")
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package keras_hub that must not be imported, with one family."""
    package = tmp_path / "keras_hub"
    folder = package / "src" / "models" / "resnet"
    folder.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "resnet_presets.py").write_text(PRESETS)
    monkeypatch.delitem(sys.modules, "keras_hub", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    hub._listed.cache_clear()
    yield
    hub._listed.cache_clear()


@pytest.fixture
def absent(monkeypatch):
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: None)
    hub._listed.cache_clear()
    yield
    hub._listed.cache_clear()


def test_presets_are_read_from_the_source_without_an_import(installed):
    listed = [name for name in ALL_ENCODERS if name.startswith("hub:")]
    classes = {f"hub:{kind}" for kind, *_ in hub.FAMILIES.values()}
    assert set(listed) == {"hub:resnet_vd_18_imagenet", *classes}, "what is too large is left out"
    row = ALL_ENCODERS["hub:resnet_vd_18_imagenet"]
    assert (row.title, row.summary) == (
        "resnet_vd_18_imagenet (KerasHub)",
        "18 layers, two of them.",
    )
    assert row.parameters == pytest.approx(11.722824) and row.cost.activations > 0
    assert "keras_hub" not in sys.modules


def test_without_it_nothing_is_listed_and_a_run_stays_readable(absent):
    assert list(ALL_ENCODERS) == list(ENCODERS) and len(ALL_ENCODERS) == len(ENCODERS)
    config = TrainConfig("set", ModelConfig("unet", "hub:resnet_vd_18_imagenet", "preset"))
    assert from_json(TrainConfig, to_json(config)) == config
    assert config.model.stride == 32 and network_cost(config.model).parameters > 0


@pytest.mark.parametrize("name", ["hub:", "hub:a/b", "hub:../x", "hub:a b", "resnet", "hub:-x"])
def test_what_is_no_name_of_it_is_unknown(name):
    assert name not in ALL_ENCODERS
    with pytest.raises(SegcoreError, match="encoder"):
        ModelConfig("unet", name, "none")


@pytest.mark.parametrize(
    ("encoder", "weights", "words"),
    [
        ("hub:resnet_vd_18_imagenet", "imagenet", "choose 'preset'"),
        ("resnet50", "preset", "which KerasHub's encoders"),
        ("hub:ResNetBackbone", "preset", "Expected a preset folder"),
        ("hub:ResNetBackbone", "none", "Expected a preset folder"),
    ],
)
def test_weights_that_an_encoder_has_not_are_refused(encoder, weights, words):
    with pytest.raises(SegcoreError, match=words):
        ModelConfig("unet", encoder, weights)


def test_the_shell_lists_them_or_says_how_to_get_them(installed, capsys, monkeypatch):
    main(["encoders", "vd"])
    text = capsys.readouterr().out
    assert "hub:resnet_vd_18_imagenet" in text and "11.7" in text and "preset" in text
    assert "resnet50" not in text
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: None)
    hub._listed.cache_clear()
    main(["encoders"])
    text = capsys.readouterr().out
    assert "dinov3_small" in text and extra_command("hub") in text
