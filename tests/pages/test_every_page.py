"""What holds for every page: it opens in any workspace, answers its question first, and leads on."""

import shutil

import pytest

from segcore import formatting
from segcore.ui.frame import frame

WAY_ON = {"home": "pages/dataset.py", "train": "pages/home.py", "runs": "pages/train.py"}
"""Where an empty page leads; the dataset page is the place to begin, all others lead to the start."""


def test_in_an_empty_workspace_it_leads_on(page, empty_workspace, open_alone) -> None:
    opened = open_alone(page)
    assert not opened.at.error
    if page == "dataset":
        assert [b.label for b in opened.at.button] == ["Import dataset"]
    else:
        assert WAY_ON.get(page, "pages/home.py") in opened.links


def texts(at) -> list[str]:
    return [element.value for element in (*at.markdown, *at.caption)]


def mean_iou(trained, run: str, stage: str = "") -> str:
    return formatting.percent(trained.workspace.scores.report(run, "test", stage).interval().value)


def home(at, trained, read) -> None:
    runs = [row for row in trained.workspace.runs.rows() if row.kind not in ("predict", "evaluate")]
    best = mean_iou(trained, trained.ensemble, "crf")
    line = f"**Continue: tiny**, {len(runs) + 1} runs, best mean IoU {best} (test, own size)."
    assert line in texts(at)


def dataset(at, trained, read) -> None:
    summary = trained.workspace.datasets.statistics("tiny").summary()
    ignored = formatting.percent(summary.ignored_share)
    line = f"**tiny** · {summary.num_samples} images · 4 classes · {ignored} of the pixels ignored"
    assert line in texts(at)


def balance(at, trained, read) -> None:
    plan = trained.workspace.datasets.plan_balance("tiny", "train", "pixel", 5)
    shown = read.metrics(at)
    assert (shown["After"], shown["Copies"]) == (f"{plan.after:.3f}", str(plan.copies))


def edit(at, trained, read) -> None:
    assert at.selectbox(key="sample").options == [
        s.id for s in trained.workspace.datasets.open("tiny").samples
    ]


def train(at, trained, read) -> None:
    config = trained.workspace.launch.suggest("tiny").config
    shown = {box.label: box.value for box in at.selectbox}
    assert (shown["Architecture"], shown["Loss"]) == (config.model.architecture, config.recipe.loss)
    assert read.metrics(at)["Est. disk"]


def tune(at, trained, read) -> None:
    assert any(text.startswith("No searches yet") for text in texts(at))
    assert [b.label for b in at.button if b.label == "Start search" and not b.disabled]


def ablation(at, trained, read) -> None:
    assert at.selectbox(key="study_file").value in trained.workspace.ablations.shipped()
    assert any(text.startswith("No ablations yet") for text in texts(at))


def runs(at, trained, read) -> None:
    listed = set(at.dataframe[0].value["run"])
    assert listed == set(trained.members)
    assert at.selectbox(key="run").value == trained.members[1]  # the newest training listed


def compare(at, trained, read) -> None:
    (line,) = [text for text in texts(at) if text.startswith("Mean IoU, test split, 3 images")]
    assert mean_iou(trained, trained.ensemble, "crf") in line
    titles = [panel["title"] for panel in read.scene(at, "compare")["panels"]]
    assert titles[:2] == ["Image", "Ground truth"]


def predict(at, trained, read) -> None:
    (line,) = [text for text in texts(at) if "no trained model" in text]  # made-up runs hold none
    assert "open the demo" in line


def evaluate(at, trained, read) -> None:
    headline = f"### Mean IoU {mean_iou(trained, trained.ensemble, 'crf')} :gray[["
    assert any(text.startswith(headline) for text in texts(at))


def ensemble(at, trained, read) -> None:
    shown = at.dataframe[0].value
    run = shown["member"][0]
    assert run in trained.members
    assert f"{shown['test'][0]:.1f} %" == mean_iou(trained, run)


def compress(at, trained, read) -> None:
    assert [b.label for b in at.button] == ["Predict validation"]  # the ensemble has test alone
    assert "**validation** has no predictions yet" in texts(at)[0]


def guide(at, trained, read) -> None:
    assert any(text.lstrip().startswith("## Balance") for text in texts(at))


FIRST_ANSWERS = {
    "home": ("Segscope", home),
    "dataset": ("Dataset", dataset),
    "balance": ("Balance", balance),
    "edit": ("Edit mask", edit),
    "train": ("Train", train),
    "tune": ("Tune", tune),
    "ablation": ("Ablation", ablation),
    "runs": ("Runs", runs),
    "compare": ("Compare", compare),
    "predict": ("Predict", predict),
    "evaluate": ("Evaluate", evaluate),
    "ensemble": ("Ensemble", ensemble),
    "compress": ("Compress labels", compress),
    "guide": ("User guide", guide),
}
"""What each page is called, and a check that it answers its question; a new page adds its line."""


def test_a_link_to_what_is_gone_opens_with_the_first_answer(page, trained, open_page, read) -> None:
    gone = dict.fromkeys(("run", "dataset", "split", "sample", "stage"), "deleted-1")
    at = open_page(page, **gone, labels="99")
    assert not at.error
    assert at.sidebar.caption[0].value == f"Workspace `{trained.workspace.folder}`"
    assert at.selectbox(key="dataset").value == "tiny"
    assert read.title(at)
    if page not in FIRST_ANSWERS:
        return  # a page that was just added
    title, answers_first = FIRST_ANSWERS[page]
    assert read.title(at) == title
    answers_first(at, trained, read)


def test_it_opens_for_somebody_who_may_only_look(page, guest, open_page, read) -> None:
    at = open_page(page)
    assert not at.error and read.title(at)


def old_links() -> list[tuple[str, str, str]]:
    """Page, parameter and old choice of each link of earlier versions."""
    # these are offered only with a label map, an ensemble or two models
    absent = ("merged", "disagreement", "difference", "unmerged")
    return [
        (place, name, before)
        for place, parameters in frame.OLD_LINKS.items()
        for name, values in parameters.items()
        for before, now in values.items()
        if now not in absent
    ]


@pytest.mark.parametrize(("place", "name", "before"), old_links())
def test_a_choice_in_an_old_link_is_translated(place, name, before, trained, open_page) -> None:
    at = open_page(place, run=trained.ensemble, split="test", **{name: before})
    assert not at.error
    now = frame.OLD_LINKS[place][name][before]
    assert at.session_state[name] == ([now] if name in frame.SEVERAL else now)


def test_a_link_to_the_study_page_opens_the_ablation(trained, open_page, read) -> None:
    at = open_page("study", recipe_study="unknown")
    assert read.title(at) == "Ablation"


def spoil_data_set(trained) -> None:
    (trained.workspace.datasets.folder / "tiny" / "dataset.json").write_text("{")


def remove_data_set(trained) -> None:
    shutil.rmtree(trained.workspace.datasets.folder / "tiny")


def remove_pixels(trained) -> None:
    for kind in ("images", "masks"):
        shutil.rmtree(trained.workspace.datasets.folder / "tiny" / kind)


def spoil_configs(trained) -> None:
    for path in trained.workspace.runs.folder.glob("*/config.json"):
        path.write_text("{")


def spoil_statuses(trained) -> None:
    for path in trained.workspace.runs.folder.glob("*/status.json"):
        path.write_text("{")


def spoil_results(trained) -> None:
    for pattern in ("*/counts/**/*.npz", "*/probabilities/**/*.prob", "*/masks/**/*.mask"):
        for path in trained.workspace.runs.folder.glob(pattern):
            path.write_bytes(path.read_bytes()[:40])


def spoil_maps_and_plans(trained) -> None:
    for kind in ("label_maps", "plans"):
        folder = trained.workspace.datasets.folder / "tiny" / kind
        folder.mkdir()
        (folder / "spoilt.json").write_text("{")


def spoil_statistics(trained) -> None:
    trained.workspace.datasets.statistics("tiny")
    (file,) = (trained.workspace.datasets.folder / "tiny").glob("statistics.*")
    file.write_bytes(file.read_bytes()[:40])


def remove_predictions(trained) -> None:
    for path in trained.workspace.runs.folder.glob("*--*"):
        shutil.rmtree(path)


DAMAGES = {
    spoil_data_set: ("dataset", "compare"),
    remove_data_set: ("home", "evaluate"),
    remove_pixels: ("dataset", "compare", "predict"),
    spoil_maps_and_plans: ("balance", "compare", "train"),
    spoil_statistics: ("dataset", "balance"),
    spoil_configs: ("runs", "home", "evaluate"),
    spoil_statuses: ("runs", "home"),
    spoil_results: ("compare", "evaluate", "compress", "ensemble"),
    remove_predictions: ("compare", "evaluate", "ensemble"),
}
"""The pages that read what is damaged."""


def answers(damage, name, trained, open_alone) -> None:
    damage(trained)
    opened = open_alone(name)  # which fails the test on a traceback
    for message in opened.at.error:
        assert message.value.rstrip().endswith(".")
        assert "Traceback" not in message.value
        assert "Error" not in message.value.split()[0]


@pytest.mark.parametrize(
    ("damage", "name"),
    [(damage, name) for damage, names in DAMAGES.items() for name in names],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_damage_is_one_sentence(damage, name, trained, open_alone) -> None:
    answers(damage, name, trained, open_alone)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_ends_no_other_page_either(damage, page, trained, open_alone) -> None:
    if page not in DAMAGES[damage]:
        answers(damage, page, trained, open_alone)


def test_a_workspace_that_cannot_be_opened_is_one_sentence(
    tmp_path, monkeypatch, open_alone
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEGCORE_WORKSPACE", str(tmp_path / "file"))
    (message,) = open_alone("home").at.error
    assert "choose another with --workspace" in message.value
