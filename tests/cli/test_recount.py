"""``recount`` in the shell, and what ``evaluate`` says before it."""

import json
import time

from segcore.cli import main
from segcore.runs.folder.environment import note_environment


def test_edited_masks_are_told_and_counted_anew(trained, capsys):
    workspace, run = trained.workspace, trained.members[0]
    for name in workspace.runs.ids():
        note_environment(workspace.runs.open(name).folder)
    time.sleep(0.005)  # versions are dated to the millisecond

    def shell(*words: str) -> str:
        main([*words, "--workspace", str(workspace.folder)])
        return capsys.readouterr().out

    assert "changed after" not in shell("evaluate", run)
    opened = workspace.masks.open("tiny", "test/scene_1")
    mask = opened.mask.copy()
    mask[:6] = 2
    workspace.masks.save("tiny", "test/scene_1", mask, based_on=opened.digest)
    assert json.loads(shell("evaluate", run, "--json"))["outdated"] == ["test/scene_1"]
    assert "1 mask changed after this was counted" in shell("evaluate", run)
    assert "1 image of test counted anew" in shell("recount", run)
    assert "No mask of test changed" in shell("recount", run)
    assert json.loads(shell("evaluate", run, "--json"))["outdated"] == []
