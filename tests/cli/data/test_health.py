"""``health`` in the shell: the findings of the Health tab, with their fixes."""

import json
import shutil

import pytest

from segcore.cli import main


def test_health_names_each_finding_its_images_and_its_fix(workspace, capsys) -> None:
    where = ["health", "tiny", "--workspace", str(workspace.folder)]
    dataset = workspace.datasets.open("tiny")
    twin = dataset.samples
    shutil.copyfile(dataset.folder / twin[0].image, dataset.folder / twin[1].image)
    main([*where, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["findings"] == [f.to_json() for f in workspace.datasets.health("tiny")]
    (found,) = [f for f in told["findings"] if f["check"] == "duplicates"]
    assert {twin[0].id, twin[1].id} <= set(found["samples"])
    main(where)
    text = capsys.readouterr().out
    for finding in told["findings"]:
        assert f"{finding['level']}: {finding['what']}\n  fix: {finding['fix']}" in text


def test_health_of_an_unknown_dataset_is_a_sentence(workspace, capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["health", "nowhere", "--workspace", str(workspace.folder)])
    assert end.value.code == 2 and "Unknown dataset 'nowhere'" in capsys.readouterr().err
