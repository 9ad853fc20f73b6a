"""``back-off`` in the shell: the workspace's numbers, its promises, and what it writes."""

import json

import pytest
from PIL import Image

from segcore.cli import main
from segcore.cli.compression.back_off import parse_promise
from segcore.errors import SegcoreError
from segcore.workspace.compression.back_offs import BackOffOptions

ROWS = "class,parent\nfield,ground\nroad,ground\nforest,high\nroof,high\n"


@pytest.fixture
def shell(workspace, capsys: pytest.CaptureFixture[str]):
    """Run a command in the test's workspace: its text, or (exit code, the sentence it ended with)."""

    def run(*words: object):
        try:
            main([*map(str, words), "--workspace", str(workspace.folder)])
        except SystemExit as end:
            if end.code:
                return int(end.code), capsys.readouterr().err
        return capsys.readouterr().out

    return run


def test_json_is_the_workspaces_report(trained, shell, tmp_path) -> None:
    run, file = trained.members[0], tmp_path / "tree.csv"
    file.write_text(ROWS)
    words = ("back-off", run, "--promise", "40%", "--hierarchy", file)
    found = json.loads(shell(*words, "--json"))
    options = BackOffOptions(0.4, file=ROWS.encode())
    wanted = trained.workspace.back_offs.report(run, "test", options).to_json()
    assert found == {**json.loads(json.dumps(wanted)), "folder": None}
    text = shell(*words)
    assert wanted["headline"] in text and "ground, high" in text
    assert "Labels that back off" in text and "bits kept" in text


def test_masks_are_written_into_a_new_folder_only(trained, shell, tmp_path) -> None:
    run, out = trained.members[0], tmp_path / "out"
    words = ("back-off", run, "--promise", "0.5", "--export", out)
    assert f"legend.json: {out}" in shell(*words)
    assert len(list(out.rglob("*.png"))) == 2 * len(trained.samples["test"])
    assert json.loads((out / "legend.json").read_text())["promise"] == 0.5
    code, sentence = shell(*words)
    assert code == 2 and "choose another" in sentence


def test_by_class_names_what_is_not_promised(trained, shell) -> None:
    text = shell("back-off", trained.members[0], "--promise", "60%", "--by-class")
    assert "promised" in text and "of the pixels of each class" in text


def test_own_images_back_off_too(own_images, shell, tmp_path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    Image.fromarray(own_images.label_set.colors[[[0, 1], [2, 3]]]).save(source / "a.png")
    words = ("predict", own_images.members[0], "--images", source, "--out", out)
    code, sentence = shell(*words, "--back-off", "0%")
    assert code == 2 and "choose 5%" in sentence and not out.exists()
    shell(*words, "--back-off", "40%")
    assert len(list((out / "back-off" / "masks").iterdir())) == 1
    code, sentence = shell("predict", own_images.members[0], "--back-off", "5%")
    assert code == 2 and "segscope back-off" in sentence


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), (" 2.5 % ", 0.025), ("0.1", 0.1)])
def test_promises_are_percent_or_shares(text, share) -> None:
    assert parse_promise(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["five", "", "%"])
def test_other_promises_are_refused(text) -> None:
    with pytest.raises(SegcoreError, match="like 5%"):
        parse_promise(text)
