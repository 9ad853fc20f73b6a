"""Log-in, roles and two people at once, on the pages: sentences, never a traceback, nothing changed for a viewer."""

import time
from types import SimpleNamespace

import pytest
import streamlit as st

from segcore import acting
from segcore.acting import Person
from segcore.ui.shared import login, session
from segcore.workspace import Workspace
from segcore.workspace.demo import Demo

AUTH = {
    "redirect_uri": "http://127.0.0.1:8501/oauth2callback",
    "cookie_secret": "0123456789abcdef" * 2,
    "client_id": "segscope",
    "client_secret": "secret",
    "server_metadata_url": "http://127.0.0.1:1/.well-known/openid-configuration",
}
LIST = '[editor]\naddresses = ["anna@example.org"]\n[viewer]\ndomains = ["example.org"]\n'


@pytest.fixture
def team(trained, monkeypatch, open_page):
    """An app with log-in: ``team.as_(address, page)`` opens a page as somebody."""
    trained.workspace.folder.joinpath("team.toml").write_text(LIST)
    monkeypatch.setattr(login, "_auth", lambda: AUTH)
    now: dict[str, object] = {}
    monkeypatch.setattr(type(st.user), "to_dict", lambda user: dict(now))

    def become(address: str, age: float = 0.0) -> None:
        now.clear()
        if address:
            now.update(
                is_logged_in=True,
                provider="default",
                aud="segscope",
                email=address,
                iat=time.time() - age,
            )

    def as_(address: str, page: str, **query: str):
        become(address)
        return open_page(page, **query)

    yield SimpleNamespace(as_=as_, become=become, list=trained.workspace.folder / "team.toml")
    acting.identify_by(None)


def sentences(at) -> str:
    return " ".join(element.value for element in (*at.error, *at.warning, *at.markdown))


def press(at, key: str):
    """Send the message of a button, disabled or not, as a browser that was tampered with would."""
    button = at.button(key=key)
    button.proto.disabled = False
    return button.click().run()


def test_without_log_in_no_page_says_anything(team, trained):
    at = team.as_("", "runs", run=trained.members[0])
    assert [button.label for button in at.button] == ["Log in"]
    assert not at.dataframe and not at.selectbox and "tiny" not in sentences(at)


def test_a_viewer_looks_but_deletes_nothing(team, trained, read, monkeypatch):
    run, folder = trained.members[0], trained.workspace.folder
    at = team.as_("bert@example.org", "runs", run=run)
    assert at.dataframe and at.button(key="delete").proto.disabled
    assert "editor" in at.button(key="delete").help
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*")}
    assert "confirm_delete" not in {b.key for b in read.check(press(at, "delete")).button}
    # a page whose buttons are not disabled: what they call refuses all the same
    monkeypatch.setattr(login, "editors_only", lambda disabled=False, help=None: {})
    at = team.as_("bert@example.org", "runs", run=run)
    read.check(press(at, "delete"))
    read.check(press(at, "confirm_delete"))
    assert "bert@example.org is a viewer" in sentences(at)
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*")} == before
    assert not (folder / "trash").exists() and not trained.workspace.history.actions()


def test_a_viewer_starts_beside_the_open_demo(team, monkeypatch):
    """The Start page of an open demo once opened it again, which a viewer may not."""
    monkeypatch.setattr(Demo, "is_open", lambda demo: True)
    monkeypatch.setattr(session, "own_datasets", list)
    at = team.as_("bert@example.org", "home")
    assert "The demo is open" in sentences(at) and "is a viewer" not in sentences(at)
    (further,) = [b for b in at.button if b.label == "Train another model"]
    assert further.disabled


@pytest.mark.slow
def test_a_viewer_looks_at_every_page(page, team, trained):
    """Nothing that a page does by itself needs an editor."""
    at = team.as_("bert@example.org", page)
    assert "is a viewer" not in sentences(at)


def test_who_was_an_editor_is_refused_at_the_next_click(team, trained, read):
    run = trained.members[0]
    at = team.as_("anna@example.org", "runs", run=run)
    read.check(press(at, "delete"))
    team.list.write_text(LIST.replace('["anna@example.org"]', '["carl@example.org"]'))
    read.check(press(at, "confirm_delete"))
    assert run in trained.workspace.runs.ids()
    team.become("anna@example.org", age=13 * 3600)
    read.check(at.run())
    assert [button.label for button in at.button] == ["Log in"]
    assert "12 hours" in sentences(at)


def test_two_people_delete_one_run(team, trained, read):
    run = trained.members[0]
    first = team.as_("anna@example.org", "runs", run=run)
    second = team.as_("anna@example.org", "runs", run=run)
    for at in (first, second):
        read.check(press(at, "delete"))
    read.check(press(first, "confirm_delete"))
    assert run not in trained.workspace.runs.ids()
    read.check(press(second, "confirm_delete"))
    assert "has changed meanwhile, so nothing was done" in sentences(second)
    assert len(trained.workspace.annotations.trash()) == 1, "not the run that is shown instead"
    deletion = trained.workspace.annotations.trash()[0]
    assert deletion.by == "anna@example.org"
    (line,) = trained.workspace.history.actions()
    assert (line.who, line.what) == ("anna@example.org", f"Deleted the run {run}")


def test_a_dataset_is_deleted_under_another_page(team, trained, read):
    for page in ("dataset", "balance", "train", "compare", "evaluate", "edit"):
        at = team.as_("anna@example.org", page)
        trained.workspace.datasets.folder.joinpath("tiny").rename(trained.workspace.folder / "gone")
        read.check(at.run())
        trained.workspace.folder.joinpath("gone").rename(trained.workspace.datasets.folder / "tiny")


def test_two_people_save_one_merge(trained):
    label_set = trained.workspace.scores.label_set(trained.members[0])
    a, b, *rest = label_set.class_ids
    groups = [[a, b], *([c] for c in rest)]
    one, two = (Workspace(trained.workspace.folder) for _ in range(2))
    with acting.acting_as(Person("anna@example.org")):
        one.scores.save_label_map(trained.members[0], groups, "merged")
    with acting.acting_as(Person("carl@example.org")):
        two.scores.save_label_map(trained.members[0], groups, "merged")
    saved = one.merges.saved(trained.members[0])
    assert [(merge.version, merge.by) for merge in saved] == [
        (2, "carl@example.org"),
        (1, "anna@example.org"),
    ]


def test_runs_and_masks_carry_the_name(trained):
    workspace = trained.workspace
    sample = workspace.datasets.open("tiny").samples[0]
    opened = workspace.masks.open("tiny", sample.id)
    with acting.acting_as(Person("anna@example.org")):
        changed = (opened.mask + 1) % 3
        version = workspace.masks.save("tiny", sample.id, changed, based_on=opened.digest)
        config = workspace.runs.open(trained.members[0]).config
        (run,) = workspace.runs.train(config, name="by-anna")
    assert version.author == "anna@example.org"
    assert workspace.runs.open(run).status().by == "anna@example.org"
    assert [action.what for action in workspace.history.actions()] == [
        f"Started the training {run}",
        f"Changed the mask of {sample.id} in the dataset tiny",
    ]


def test_a_restore_by_a_callback_is_refused_too(team, trained, read):
    workspace = trained.workspace
    sample = workspace.datasets.open("tiny").samples[0].id
    opened = workspace.masks.open("tiny", sample)
    workspace.masks.save("tiny", sample, (opened.mask + 1) % 3, based_on=opened.digest)
    at = team.as_("bert@example.org", "edit", sample=sample)
    at = press(at, "restore_version")
    read.check(at)
    assert len(workspace.masks.history("tiny", sample).versions) == 2
