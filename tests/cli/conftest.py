"""The shell in a workspace with results."""

import json
from types import SimpleNamespace

import pytest

from segcore.cli import main


@pytest.fixture
def trained_shell(trained: SimpleNamespace, capsys: pytest.CaptureFixture[str]):
    """Run a command in the workspace of ``trained``: its text or JSON, or (code, sentence)."""

    def run(*words: object, json_wanted: bool = False):
        arguments = [*map(str, words), "--workspace", str(trained.workspace.folder)]
        code = 0
        try:
            main([*arguments, *(["--json"] if json_wanted else [])])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        if code:
            return code, err
        return json.loads(out) if json_wanted else out

    return run
