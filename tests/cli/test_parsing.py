"""What is typed wrongly is answered by one line that says what was meant; without a command there is help."""

import json

import pytest

from segcore.cli import build_parser, main
from segcore.cli.commands import COMMANDS
from segcore.workspace.demo import ASSETS as DEMO
from segcore.workspace.demo import DemoRuns


@pytest.fixture
def run(capsys):
    def run(*words: object) -> tuple[int, str, str]:
        code = 0
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("words", [(), ("help",), ("--help",), ("--json",)])
def test_no_command_or_help_lists_the_commands(run, words) -> None:
    code, out, error = run(*words)
    assert (code, error) == (0, "")
    assert all(name in out for name in COMMANDS)


def test_help_of_a_command(run) -> None:
    code, out, _ = run("help", "stats")
    assert code == 0 and out.startswith("usage: segscope stats") and "--split" in out
    assert "Default: 5%.\n" in run("help", "back-off")[1]
    assert run("help", "statz")[2] == "segscope: Unknown command 'statz': did you mean 'stats'?\n"


def test_every_option_says_what_it_is() -> None:
    (commands,) = (one.choices for one in build_parser()._actions if one.dest == "command")
    options = [(name, one) for name, parser in commands.items() for one in parser._actions]
    assert [f"{name} {one.dest}" for name, one in options if not one.help] == []


def test_commands_in_help_begin_as_this_one_was_called_and_are_wrapped_like_the_rest(
    run, monkeypatch
) -> None:
    called = [".venv/bin/python", "-m", "segcore"]
    for module in ("segcore.installing", "segcore.cli.parsing"):
        monkeypatch.setattr(f"{module}.typed_program", lambda: called)
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("train", "balance", "split"):
        out = run(command, "--help")[1]
        assert max(map(len, out.splitlines())) <= 80
        assert "segscope" not in out
    assert "See: .venv/bin/python -m segcore recommend" in " ".join(
        run("train", "--help")[1].split()
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("datsets",), "Unknown command 'datsets': did you mean 'datasets'?"),
        (("zzz",), "Unknown command 'zzz': segscope help lists the commands."),
        (
            ("stats", "tiny", "--splitt", "train"),
            "Unknown option '--splitt' of segscope stats: did you mean '--split'?",
        ),
        (
            ("stats", "tiny", "--zzz=3"),
            "Unknown option '--zzz=3' of segscope stats: segscope stats --help lists what it takes.",
        ),
        (
            ("stats", "tiny", "more"),
            "Expected no further word after segscope stats, received 'more': segscope stats --help "
            "lists what it takes.",
        ),
        (
            ("--split", "train", "stats", "tiny"),
            "Expected a command before the option '--split': write it after the command.",
        ),
        (
            ("--workspce", "x", "datasets"),
            "Expected a command before the option '--workspce': did you mean '--workspace'?",
        ),
        (
            ("stats",),
            "Expected dataset, received none: see segscope stats --help.",
        ),
        (
            ("stats", "tiny", "--split"),
            "Expected a value after --split, received none: see segscope stats --help.",
        ),
        (
            ("balance", "tiny", "--budget", "x"),
            "Expected --budget as a whole number, received 'x': see segscope balance --help.",
        ),
        (
            ("split", "tiny", "--validation", "x"),
            "Expected --validation as a share of the images, 0.15 or 15%, received 'x': see segscope "
            "split --help.",
        ),
        (
            ("split", "tiny", "--test", "15"),
            "Expected --test as a share of the images, 0.15 or 15%, received '15': see segscope split "
            "--help.",
        ),
        (
            ("split", "tiny", "--seed", "-1"),
            "Expected --seed as a whole number from 0 to 4,294,967,295, received '-1': see segscope "
            "split --help.",
        ),
        (
            ("split", "tiny", "--keep-test"),
            "Expected --folds K with --keep-test, received --keep-test alone: add --folds, or leave "
            "it out; other splits replace the test split too.",
        ),
        (
            ("split", "tiny", "--folds", "3", "--validation", "0.2"),
            "Expected no --validation with --folds, where it has no effect, received --validation: leave it out.",
        ),
        (
            ("split", "tiny", "--undo", "--folds", "3"),
            "Expected no --folds with --undo, where it has no effect, received --folds: leave it out.",
        ),
        (
            ("split", "tiny", "--method", "random", "--block", "9", "--gap", "1"),
            "Expected no --block and --gap with --method random, where it has no effect, received --block and --gap: leave it out.",
        ),
        (
            ("balance", "tiny", "--temper", "0.3"),
            "Expected no --temper without --target tempered, where it has no effect, received --temper: leave it out.",
        ),
        (
            ("balance", "tiny", "--amount", "0.3"),
            "Expected no --amount with --rule nearest, where it has no effect, received --amount: leave it out.",
        ),
        (
            ("learning-curve", "tiny-1", "--sizes", "2,4,8"),
            "Expected no --sizes without --start, where it has no effect, received --sizes: leave it out.",
        ),
        (
            ("app", "--port", "99999"),
            "Expected --port as a whole number from 1 to 65,535, received '99999': see segscope app "
            "--help.",
        ),
        (
            ("evaluate", "x", "--over", "pixels"),
            "Expected --over as one of 'images', 'folder', 'prefix', 'scene', received 'pixels': see "
            "segscope evaluate --help.",
        ),
    ],
)
def test_a_mistake_is_one_line(run, words, sentence) -> None:
    assert run(*words) == (2, "", f"segscope: {sentence}\n")


def test_the_workspace_may_stand_before_the_command(run, workspace, tmp_path) -> None:
    for words in (
        ("--workspace", workspace.folder, "--json", "datasets"),
        (f"--workspace={workspace.folder}", "datasets", "--json"),
        ("datasets", "--workspace", workspace.folder, "--json"),
        ("--workspace", tmp_path / "other", "datasets", "--workspace", workspace.folder, "--json"),
    ):
        code, out, _ = run(*words)
        assert code == 0 and [row["name"] for row in json.loads(out)] == ["tiny"]
    assert not (tmp_path / "other").exists()


def test_where_nothing_is_the_folder_is_named_and_how_to_choose_another(run, tmp_path) -> None:
    folder = tmp_path / "empty"
    for words in (("datasets",), ("runs",), ("history",)):
        code, out, _ = run("--workspace", folder, *words)
        assert code == 0 and f" in {folder}" in out
        assert out.endswith("another folder: --workspace DIR\n")
    for words in (("stats", "x"), ("train", "x"), ("evaluate", "x"), ("runs", "delete", "x")):
        code, _, error = run("--workspace", folder, *words)
        assert code == 2 and f" in {folder}: " in error
        assert error.endswith("or name another folder (--workspace DIR).\n")


def test_a_dataset_in_place_of_a_run_is_recognised(run, trained) -> None:
    folder = trained.workspace.folder
    code, _, error = run("evaluate", "tiny", "--workspace", folder)
    assert code == 2 and error.startswith(
        "segscope: Expected a run, received 'tiny', which is a dataset: name one of its runs, such as "
    )
    assert f"such as {trained.members[1]}, {trained.members[0]}" in error


def test_a_dataset_without_runs_is_to_be_trained_on(run, workspace) -> None:
    assert run("report", "tiny", "--out", "r.html", "--workspace", workspace.folder)[2] == (
        "segscope: Expected a run, received 'tiny', which is a dataset: train on it first (segscope "
        "train tiny).\n"
    )


@pytest.mark.parametrize(
    "words", [("stats",), ("balance",), ("train", "--encoder", "tiny", "--weights", "none")]
)
def test_missing_splits_are_answered_with_the_command_that_makes_them(
    run, workspace, words
) -> None:
    workspace.datasets.make_splits("tiny", "random", {"train": 0.5, "test": 0.5}, 0)
    dataset = workspace.datasets.open("tiny")
    dataset.with_splits({}).save()
    flags = ("--split", "train") if words[0] != "train" else ()
    code, _, error = run(words[0], "tiny", *words[1:], *flags, "--workspace", workspace.folder)
    assert (code, error) == (
        2,
        "segscope: Expected splits in the dataset 'tiny', found none: make them first (segscope split "
        "tiny).\n",
    )


def test_the_demo_says_what_to_do_next_with_commands_that_are_understood() -> None:
    runs = sorted(one.parent.name for one in DEMO.glob("runs/*/config.json"))
    members = tuple(run for run in runs if "--" not in run)
    said = COMMANDS["demo"].show(DemoRuns("demo", members, None).to_json())
    assert said.startswith("The demo is dataset 'demo' with 5 members:\n")
    commands = [
        line.partition(": segscope ")[2] for line in said.splitlines() if "segscope" in line
    ]
    assert len(commands) == 2
    for command in commands:
        assert build_parser().parse_args(command.split()).run in (members[0], [members[0]])
