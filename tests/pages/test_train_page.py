"""What shall learn it: the form refuses what cannot be, starts what it says, and says how the shell starts the same."""

import dataclasses
import json
import shlex
import time

import numpy as np

from segcore.catalog import ARCHITECTURES, ENCODERS, LOSSES, PREPROCESSING, hub
from segcore.cli import build_parser
from segcore.cli.training import train_config
from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.labels import LabelMap
from segcore.runs.dispatch import throughput_probe
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import engines
from segcore.runs.machine.devices import Device
from segcore.runs.queue import jobs
from segcore.ui.train.form import FIELDS
from segcore.workspace.launch.command_line import command_line
from tests.conftest import TINY_LABELS


def parsed(line: str) -> tuple[TrainConfig, int]:
    """What the shell would start."""
    words = shlex.split(line)
    options = build_parser().parse_args(words[words.index("train") :])
    return train_config(options), int(options.members)


def field(elements, label: str):
    (found,) = [e for e in elements if e.label == label]
    return found


def random_config(rng) -> TrainConfig:
    """A config with nothing left at its default but by chance."""
    recipe = RecipeConfig(
        loss=str(rng.choice([*LOSSES, "dice + 0.5*focal"])),
        learning_rate=float(10 ** rng.uniform(-6, 0)),
        epochs=int(rng.integers(20, 400)),
        batch_size=int(rng.integers(1, 65)),
        patience=int(rng.integers(0, 40)),
        warmup_epochs=float(rng.uniform(0, 9)),
        weight_decay=float(rng.uniform(0, 1)),
        clip_norm=float(rng.uniform(0, 5)),
        average=float(rng.uniform(0, 0.999)),
        monitor=str(rng.choice(["mean_iou", "loss"])),
        optimizer="sgd",
        schedule="cosine",
        augmentation="none",
        precision="mixed_bfloat16",
        class_weights="inverse_root",
        freeze_epochs=int(rng.integers(0, 20)),
        batch_norm="reestimate",
        cut_mix=float(rng.uniform(0, 1)),
    )
    weights = "/some where/encoder's weights.npz"
    model = ModelConfig(
        str(rng.choice([*ARCHITECTURES])),
        str(rng.choice([*ENCODERS])),
        weights,
        str(rng.choice([*PREPROCESSING])),
    )
    size = (model.stride * int(rng.integers(1, 9)), model.stride * int(rng.integers(1, 9)))
    several = bool(rng.integers(2))
    recipe = dataclasses.replace(recipe, jit=not several, batch_size=2 * recipe.batch_size)
    return TrainConfig(
        "a-set",
        model,
        recipe,
        size,
        "learn",
        str(rng.choice(["", "check"])),
        int(rng.integers(0, 2**31)),
        device="gpu:0,gpu:1" if several else "gpu:3",
        hosts=("one:2222", "two:2222") if several else (),
        submodels=str(rng.choice(["", "routed"])),
        label_map=str(rng.choice(["", "merged-3"])),
        balance_plan=str(rng.choice(["", "by-pixel"])),
        deterministic=bool(rng.integers(2)),
    )


def test_the_command_line_says_the_whole_config() -> None:
    rng = np.random.default_rng(5)
    for members in range(1, 40):
        config = random_config(rng)
        assert parsed(command_line(config, members)) == (config, members)


def test_the_form_says_what_it_starts(workspace, open_page, read) -> None:
    workspace.datasets.open("tiny").save_label_map(LabelMap(((0, 1), (2,), (3,)), "merged"))
    at = open_page("train")
    field(at.selectbox, "Encoder").set_value("tiny").run()
    field(at.selectbox, "Architecture").set_value("linknet")
    field(at.selectbox, "Loss").set_value("dice_focal")
    field(at.selectbox, "Optimizer").set_value("adamw")
    field(at.selectbox, "Learning-rate schedule").set_value("one_cycle")
    field(at.selectbox, "Validation split").set_value("")
    field(at.selectbox, "Label map").set_value("merged")
    field(at.number_input, "Learning rate").set_value(0.00123456)
    field(at.number_input, "Epochs").set_value(17)
    field(at.number_input, "Ensemble size").set_value(2)
    read.check(at.run())
    (line,) = [c.value for c in at.code]
    config, members = parsed(line)
    assert (config.model, members) == (ModelConfig("linknet", "tiny", "none"), 2)
    assert (config.recipe.loss, config.recipe.optimizer, config.recipe.schedule) == (
        "dice_focal",
        "adamw",
        "one_cycle",
    )
    assert (config.recipe.learning_rate, config.recipe.epochs) == (0.00123456, 17)
    assert (config.train_split, config.validation_split, config.label_map) == (
        "train",
        "",
        "merged",
    )
    read.check(at.button(key="start_training").click().run())
    waiting = [job for job in jobs.waiting(workspace.folder) if job.kind == "train"]
    runs = [job.run for job in waiting]
    assert len(runs) == 2
    for member, run in enumerate(runs):
        group = run.rsplit("-", 1)[0]
        assert workspace.runs.open(run).config == dataclasses.replace(
            config, seed=config.seed + member, member=member, group=group
        )


def test_every_choice_of_the_catalogue_can_be_made(workspace, open_page, read) -> None:
    at = open_page("train")
    assert field(at.selectbox, "Architecture").options == [c.title for c in ARCHITECTURES.values()]
    assert field(at.selectbox, "Encoder").options == [c.title for c in ENCODERS.values()]
    assert field(at.selectbox, "Loss").options == [c.title for c in LOSSES.values()]
    for encoder in ("tiny", "vgg16", "mit_b0"):  # without a download, with one, and another family
        read.check(field(at.selectbox, "Encoder").set_value(encoder).run())
        weights = field(at.selectbox, "Encoder weights")
        assert ("imagenet" in weights.value) == ENCODERS[encoder].imagenet
        assert not at.warning


def test_what_cannot_be_is_refused_before_it_starts(workspace, started, open_page, read) -> None:
    at = open_page("train")
    field(at.number_input, "Epochs").set_value(3)
    read.check(field(at.number_input, "Warm-up epochs").set_value(5.0).run())
    (message,) = at.warning
    assert "warmup_epochs between 0 and 3" in message.value.replace("\\", "")
    assert field(at.button, "Start training").disabled
    assert not at.code and started == [] and workspace.runs.ids() == []
    read.check(field(at.number_input, "Warm-up epochs").set_value(2.0).run())
    assert not at.warning and not field(at.button, "Start training").disabled


def test_details_that_do_not_go_together_are_refused(
    workspace, open_page, read, monkeypatch
) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda name: True)  # several machines need one
    at = open_page("train")
    field(at.text_input, "Several machines").set_value("10.0.0.5:2222, 10.0.0.6").run()
    read.check(at)
    told = at.warning[0].value.replace("\\", "")
    assert "address:port" in told and "10.0.0.6" in told
    field(at.text_input, "Several machines").set_value("10.0.0.5:2222, 10.0.0.6:2222")
    read.check(field(at.toggle, "Compile with XLA").set_value(True).run())
    assert "turn XLA off" in at.warning[0].value
    field(at.number_input, "Batch size").set_value(2)
    field(at.selectbox, "Preprocessing").set_value("standardise")
    read.check(field(at.toggle, "Compile with XLA").set_value(False).run())
    assert not at.warning
    config, _ = parsed(at.code[0].value)
    assert (
        config.hosts == ("10.0.0.5:2222", "10.0.0.6:2222")
        and config.model.preprocessing == "standardise"
    )


def test_the_advanced_settings_are_searched_by_title_help_and_flag(
    workspace, open_page, read
) -> None:
    def shown(at):
        boxes = (*at.selectbox, *at.number_input, *at.toggle, *at.text_input)
        return {titles[box.label] for box in boxes if box.label in titles}

    advanced = [one for one in FIELDS.values() if one.option.section == "advanced"]
    titles = {one.option.title: one.name for one in advanced}
    at = open_page("train")
    assert shown(at) == set(titles.values())
    field(at.number_input, "Weight decay").set_value(0.125)
    field(at.toggle, "Reproducible").set_value(True)
    field(at.selectbox, "Checkpoint metric").set_value("loss").run()
    keys = {box.label: box.key for box in at.number_input}

    def search(text):
        read.check(at.text_input(key="train_search").set_value(text).run())
        config, _ = parsed(next(c.value for c in at.code))
        assert config.recipe.weight_decay == 0.125 and config.recipe.monitor == "loss"
        assert config.deterministic, "a setting keeps its value while it is hidden"
        return shown(at)

    assert search("WEIGHT decay") == {"weight_decay"}
    assert field(at.number_input, "Weight decay").key == keys["Weight decay"]
    assert search("--clip-norm") == {"clip_norm"}
    assert "cut_mix" in search("rectangle"), "a word of its help"
    field(at.number_input, "CutMix probability").set_value(0.5).run()
    assert search("no such <b>") == set()
    assert any("No setting matches" in c.value for c in at.caption)
    assert search("") == set(titles.values())
    assert field(at.number_input, "Weight decay").value == 0.125
    assert field(at.number_input, "CutMix probability").value == 0.5
    assert field(at.selectbox, "Checkpoint metric").value == "loss"


def test_a_number_out_of_range_shows_the_range(workspace, open_page, read) -> None:
    at = open_page("train")
    for label, value, told in (
        ("Epochs", 0, "Enter 1 to 100,000."),
        ("Ensemble size", 101, "Enter 1 to 100."),
        ("Learning rate", 11.0, "Enter 1e-08 to 10."),
        ("Height", 9000, "Enter multiples of 32, 32 to 8,192."),
    ):
        before = field(at.number_input, label).value
        read.check(field(at.number_input, label).set_value(value).run())
        assert told in " ".join(c.value for c in at.caption)
        assert at.button(key="start_training").disabled
        read.check(field(at.number_input, label).set_value(before).run())
        assert not at.button(key="start_training").disabled


def test_the_images_have_one_size_wherever_it_is_written(workspace, open_page, read) -> None:
    """Two of five images are larger, the first among them: the form, the advice and a warning say the others' size."""
    rng = np.random.default_rng(0)
    sizes = [(96, 160), (96, 160), (48, 64), (48, 64), (48, 64)]
    samples = [
        ArraySample(
            f"{n}", rng.integers(0, 255, (*s, 3), np.uint8), np.eye(*s, dtype=np.uint8), split
        )
        for n, (s, split) in enumerate(
            zip(sizes, ["train", "validation", *3 * ["train"]], strict=True)
        )
    ]
    write_dataset(workspace.datasets.folder / "mixed", "mixed", TINY_LABELS, samples)
    at = read.check(open_page("train", dataset="mixed"))
    assert "48 x 64" in workspace.launch.suggest("mixed").reasons["size"]
    told = " ".join(caption.value.replace("\\", "") for caption in at.caption)
    assert "Images: 48 x 64 to 96 x 160 (height x width), median 48 x 64; each" in told
    read.check(field(at.number_input, "Width").set_value(320).run())
    assert any("the median image is 48 x 64" in element.value for element in at.markdown)


def test_the_form_begins_with_the_recommendation_and_keeps_its_values(
    workspace, started, open_page, read
) -> None:
    at = open_page("train")
    advice = workspace.launch.suggest("tiny")
    assert parsed(at.code[0].value)[0] == advice.config
    badges = [c for c in at.caption if "green-badge[Recommended]" in c.value]
    assert advice.reasons["encoder"] in {c.help for c in badges}
    field(at.selectbox, "Encoder").set_value("tiny").run()
    field(at.number_input, "Epochs").set_value(7)
    field(at.number_input, "Ensemble size").set_value(3)
    read.check(at.run())
    assert len([c for c in at.caption if "green-badge" in c.value]) < len(badges)
    read.check(at.switch_page("pages/runs.py").run())
    read.check(at.switch_page("pages/train.py").run())
    config, members = parsed(at.code[0].value)
    assert (config.model.encoder, config.recipe.epochs, members) == ("tiny", 7, 3)
    at.text_input(key="run_name").set_value("first")
    at.multiselect(key="run_tags").set_value(["night"])
    at.text_area(key="run_note").set_value("A try.")
    read.check(at.button(key="start_training").click().run())
    rows = [row for row in workspace.runs.rows() if row.kind == "train"]
    assert len(rows) == 3 and all(row.run.startswith("first-") for row in rows)
    assert {(row.annotations.tags, row.annotations.text) for row in rows} == {
        (("night",), "A try.")
    }


def test_a_link_brings_a_label_map(workspace, started, open_page, read) -> None:
    workspace.datasets.open("tiny").save_label_map(LabelMap(((0, 1), (2,), (3,)), "merged"))
    at = open_page("train", dataset="tiny", label_map="merged")
    assert parsed(at.code[0].value)[0].label_map == "merged"


def test_a_plan_for_other_images_is_refused_with_a_link_to_plan_again(
    workspace, started, open_page, read
) -> None:
    datasets = workspace.datasets
    datasets.save_plan("tiny", "even", datasets.plan_balance("tiny", "train"))
    config = dataclasses.replace(workspace.launch.suggest("tiny").config, balance_plan="even")
    workspace.configs.save("planned", config)
    datasets.make_splits("tiny", "random", {"train": 0.34, "validation": 0.66}, 3)
    at = open_page("train")
    at = read.check(at.button(key="load_config").click().run())
    (refusal,) = [e.value.replace("\\", "") for e in at.error]
    assert refusal.startswith("Balance plan 'even' was made for other images of train (")
    assert at.button(key="start_training").disabled
    assert [e.proto.label for e in at.get("page_link")] == ["Balance"]


def test_the_time_of_an_epoch_counts_the_copies_of_a_plan_and_validation(
    trained, open_page, read
) -> None:
    """The finished runs make 3 images a second: 6 + 3 / 3 take 2.3 s, with 12 copies 6.3 s."""
    datasets = trained.workspace.datasets
    plan = datasets.plan_balance("tiny", "train")
    thrice = dataclasses.replace(plan, repeats=dict.fromkeys(plan.repeats, 3))
    datasets.save_plan("tiny", "thrice", thrice)
    config = trained.workspace.configs.clone(trained.members[0])
    at = open_page("train", from_run=trained.members[0])
    assert field(at.metric, "Rough time per epoch").value == "2.3 s"
    assert "An epoch: 6 images, 3 images for validation." in [c.value for c in at.caption]
    trained.workspace.configs.save("planned", dataclasses.replace(config, balance_plan="thrice"))
    at = open_page("train")
    read.check(at.button(key="load_config").click().run())
    assert field(at.metric, "Rough time per epoch").value == "6.3 s"
    assert any("18 images with the balance plan thrice" in c.value for c in at.caption)


def test_a_size_that_does_not_divide_is_refused(workspace, open_page, read) -> None:
    at = open_page("train")
    read.check(field(at.number_input, "Height").set_value(50).run())
    assert "multiple of 32" in at.warning[0].value
    assert field(at.button, "Start training").disabled


def test_what_vanishes_meanwhile_is_told_in_a_sentence(workspace, started, open_page, read) -> None:
    workspace.datasets.open("tiny").save_label_map(LabelMap(((0, 1), (2,), (3,)), "merged"))
    at = open_page("train")
    read.check(field(at.selectbox, "Label map").set_value("merged").run())
    (workspace.datasets.folder / "tiny" / "label_maps" / "merged.json").write_text("{")
    read.check(at.button(key="start_training").click().run())
    assert "damaged" in at.error[0].value
    assert workspace.runs.ids() == []


def test_without_splits_it_offers_to_make_them(workspace, open_page, read) -> None:
    workspace.datasets.open("tiny").with_splits({}).save()
    at = open_page("train")
    assert not [b for b in at.button if b.label == "Start training"]
    field(at.number_input, "Validation, %").set_value(25)
    field(at.number_input, "Test, %").set_value(25)
    read.check(field(at.button, "Create splits").click().run())
    assert {
        s: len(workspace.datasets.open("tiny").select(s)) for s in ("train", "validation", "test")
    } == {
        "train": 6,
        "validation": 3,
        "test": 3,
    }
    assert field(at.button, "Start training")


def test_the_splits_it_offers_keep_groups_whole(workspace, open_page, read) -> None:
    dataset = workspace.datasets.open("tiny")
    tiles = [dataclasses.replace(s, group=f"Tile {n // 3}") for n, s in enumerate(dataset.samples)]
    dataclasses.replace(dataset, samples=tuple(tiles)).with_splits({}).save()
    at = open_page("train")
    method = field(at.selectbox, "Method")
    assert method.value == "grouped" and "blocks" not in method.options
    read.check(field(at.button, "Create splits").click().run())
    made = workspace.datasets.open("tiny")
    assert len({(s.group, s.split) for s in made.samples}) == 4


def test_splits_always_leave_something_to_learn_from(workspace, open_page, read) -> None:
    workspace.datasets.open("tiny").with_splits({}).save()
    at = open_page("train")
    for label in ("Validation, %", "Test, %"):
        field(at.number_input, label).set_value(field(at.number_input, label).max)
    read.check(field(at.button, "Create splits").click().run())
    assert workspace.datasets.open("tiny").select("train")


def test_a_run_is_trained_like_another(
    trained, made_up, started, open_page, read, monkeypatch
) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda name: True)  # that of the run among them
    rng = np.random.default_rng(3)
    config = dataclasses.replace(
        random_config(rng),
        dataset="tiny",
        train_split="train",
        validation_split="validation",
        label_map="",
    )
    config = dataclasses.replace(
        config, balance_plan="", device="auto", hosts=(), submodels="", seed=40, member=2, group="g"
    )
    made_up.write("odd-3", config)
    at = open_page("train", from_run="odd-3")
    told, members = parsed(next(c.value for c in at.code))
    assert members == 1 and told == dataclasses.replace(config, member=0, group="", seed=38)
    field(at.number_input, "Epochs").set_value(21)
    read.check(at.run())
    assert parsed(next(c.value for c in at.code))[0].recipe == dataclasses.replace(
        config.recipe, epochs=21
    )
    read.check(at.button(key="use_recommended").click().run())
    told, _ = parsed(next(c.value for c in at.code))
    assert told == trained.workspace.launch.suggest("tiny").config


def test_a_config_is_saved_loaded_and_edited(workspace, started, open_page, read) -> None:
    at = open_page("train")
    field(at.selectbox, "Encoder").set_value("tiny").run()
    field(at.number_input, "Epochs").set_value(7)
    at.text_input(key="save_as").set_value("quick").run()
    read.check(at.button(key="save_these").click().run())
    assert (
        workspace.configs.names() == ["quick"]
        and workspace.configs.load("quick").recipe.epochs == 7
    )
    read.check(at.button(key="use_recommended").click().run())
    assert (
        parsed(next(c.value for c in at.code))[0].recipe.epochs == 100
    )  # six images: as many as may be
    read.check(at.button(key="load_config").click().run())
    told, _ = parsed(next(c.value for c in at.code))
    assert (told.model.encoder, told.recipe.epochs) == ("tiny", 7)
    area = at.text_area[0]
    data = json.loads(area.value)
    assert data["recipe"]["epochs"] == 7
    data["recipe"]["loss"] = "dice + 0.5*focal"
    area.set_value(json.dumps(data))
    read.check(at.button(key="use_json").click().run())
    assert parsed(next(c.value for c in at.code))[0].recipe.loss == "dice + 0.5*focal"
    at.text_area[0].set_value('{"dataset": "tiny", "recipe": {"epoch": 3}}')
    read.check(at.button(key="use_json").click().run())
    assert "epochs" in at.error[0].value


def test_a_grid_says_how_many_runs_it_is_and_queues_them(
    workspace, started, open_page, read
) -> None:
    at = open_page("train")
    field(at.selectbox, "Encoder").set_value("tiny").run()
    read.check(at.multiselect(key="vary_fields").set_value(["learning_rate", "loss"]).run())
    at.text_input(key="vary_learning_rate").set_value("1e-3, 1e-4")
    at.text_input(key="vary_loss").set_value("dice, focal, dice + focal")
    read.check(at.run())
    assert "2 x 3 = **6 runs**" in " ".join(m.value for m in at.markdown)
    read.check(at.text_input(key="vary_loss").set_value("dise").run())
    assert "did you mean 'dice'" in at.error[0].value and workspace.runs.ids() == []
    at.text_input(key="vary_loss").set_value("dice")
    at.text_input(key="vary_tag").set_value("rates")
    at.run()
    read.check(at.button(key="launch_grid").click().run())
    rows = [row for row in workspace.runs.rows() if row.kind == "train"]
    assert [list(row.annotations.tags) for row in rows] == [["rates"]] * 2
    assert sorted(workspace.runs.open(row.run).config.recipe.learning_rate for row in rows) == [
        1e-4,
        1e-3,
    ]


def test_devices_are_shown_and_any_of_them_chosen(
    workspace, started, open_page, read, monkeypatch
) -> None:
    cards = [Device(f"gpu:{i}", f"Card {i}", 0, 24 << 30, 6 << 30, 0.25, 61.0) for i in range(2)]
    here = [Device("cpu", "A processor", 8, 16 << 30, 4 << 30, None, None), *cards]
    monkeypatch.setattr("segcore.workspace.runs.runs.list_devices", lambda: here)
    at = open_page("train")
    told = " ".join(m.value for m in [*at.markdown, *at.caption])
    assert "**8 cores**" in told and "Card 1" in told and told.count("25 % busy · 61 °C") == 2
    read.check(at.button_group(key="device_1").set_value("gpu").run())
    read.check(at.button_group(key="gpus_1").set_value(["gpu:0", "gpu:1"]).run())
    assert parsed(next(c.value for c in at.code))[0].device == "gpu:0,gpu:1"
    read.check(field(at.number_input, "Batch size").set_value(7).run())
    assert "Expected a batch size that divides by 2 devices, received 7" in at.error[0].value
    read.check(at.button_group(key="device_1").set_value("cluster").run())
    assert "Expected the address of a cluster for this run" in at.error[0].value
    at.text_input(key="cluster_address").set_value("10.0.0.5").run()
    read.check(at.button(key="cluster_keep").click().run())
    assert "tcp://10.0.0.5:8786" in at.error[0].value
    read.check(field(at.selectbox, "GPUs per run").set_value("cluster:2").run())
    assert parsed(next(c.value for c in at.code))[0].device == "cluster:2"
    read.check(at.button_group(key="device_1").set_value("auto").run())
    assert parsed(next(c.value for c in at.code))[0].device == "auto"


def test_a_job_of_slurm_is_offered_where_its_client_is_with_fields_and_template(
    workspace, started, open_page, read, monkeypatch, tmp_path
) -> None:
    clients = tmp_path / "clients"
    clients.mkdir()
    monkeypatch.setenv("PATH", str(clients))
    assert "slurm" not in str(open_page("train").button_group(key="device_1").options).lower()
    for name, line in {"sbatch": "slurm 23.11.4", "sinfo": "gpu*|up|2-00:00:00|4|gpu:8"}.items():
        (clients / name).write_text(f"#!/bin/sh\necho '{line}'\n")
        (clients / name).chmod(0o755)
    at = open_page("train")
    assert "slurm" in str(at.button_group(key="device_1").options).lower()
    read.check(at.button_group(key="device_1").set_value("slurm").run())
    assert parsed(next(c.value for c in at.code))[0].device == "slurm"
    field(at.text_input, "GPUs").set_value("2").run()
    read.check(field(at.text_input, "Time limit").set_value("8:00:00").run())
    assert parsed(next(c.value for c in at.code))[0].device == "slurm:gpus=2,time=8:00:00"
    at.button(key="check_slurm").click().run()
    assert "Slurm 23.11.4 answers." in [c.value for c in at.caption]
    assert at.dataframe[-1].value["GPUs a node"].tolist() == ["gpu:8"]
    read.check(at.toggle(key="edit_template_slurm").set_value(True).run())
    read.check(at.button(key="write_template_slurm").click().run())
    template = field(at.text_area, "Template of every job")
    assert "#SBATCH --gres=gpu:1" in template.value
    template.set_value(template.value.replace("=4", "=8")).run()
    read.check(at.button(key="save_template_slurm").click().run())
    assert "--cpus-per-task=8" in workspace.schedulers.template("slurm")
    field(at.text_input, "Time limit").set_value("soon; id").run()
    assert "Expected time of a slurm job once, in the form time=8:00:00" in at.error[0].value


def test_engines_are_offered_where_there_is_more_than_one(
    workspace, started, open_page, read, monkeypatch
) -> None:
    def engine_box(at):
        return [box for box in at.selectbox if box.label == "Engine"]

    monkeypatch.setattr(engines, "is_installed", lambda name: name == "torch")
    at = open_page("train")
    assert engine_box(at) == [], "nothing to choose"
    assert "--engine torch" in next(c.value for c in at.code), "what is there, not the default"
    monkeypatch.setattr(engines, "is_installed", lambda name: name != "jax")
    at = open_page("train")
    (box,) = engine_box(at)
    assert box.options == ["TensorFlow", "PyTorch", "Auto"]
    read.check(box.set_value("torch").run())
    assert parsed(next(c.value for c in at.code))[0].engine == "torch"


def test_time_and_memory_are_measured_on_request(
    workspace, started, open_page, read, monkeypatch
) -> None:
    begun = []

    def start(folder, key, config):
        run = RunFolder.create(throughput_probe.probes_folder(folder), key, config)
        begun.append(run)
        return run.write_status(state="starting", started=time.time())

    monkeypatch.setattr(throughput_probe, "start", start)
    at = open_page("train")
    field(at.selectbox, "Encoder").set_value("tiny").run()
    read.check(field(at.number_input, "Epochs").set_value(20).run())
    assert field(at.metric, "Rough time per epoch").value == "unknown"
    read.check(at.button(key="measure").click().run())
    (run,) = begun
    assert run.config.recipe.epochs == 20 and at.button(key="stop_measure")
    told = {
        "format": 1,
        "images_per_second": 2.0,
        "steps": 6,
        "memory": 3 << 30,
        "device": "CPU",
        "measured": time.time(),
    }
    run.write_json("pace", {**told, "seconds_per_epoch": 7.5})
    run.write_json("beside", {"runs": ["a"]})
    run.write_status(state="finished")
    read.check(at.run())
    assert (
        field(at.metric, "Time per epoch").value == "7.5 s"
        and field(at.metric, "Peak memory").value == "3.0 GiB"
    )
    told = " ".join(c.value for c in at.caption)
    assert (
        "20 epochs: about 2 min, less with early stopping. Measured just now over 6 steps "
        "on CPU while 1 other run ran"
    ) in told
    run.write_status(state="failed", cause="The memory did not suffice.")
    read.check(at.run())
    assert "The memory did not suffice" in " ".join(c.value for c in at.caption)


def test_the_augmentation_is_looked_at_before_it_is_learned_from(
    workspace, started, open_page, read
) -> None:
    at = open_page("train")
    assert not [
        s for s in at.selectbox if s.label == "Image"
    ]  # nothing is read until it is unfolded
    at.session_state["augmentation_preview"] = True
    read.check(at.run())
    assert len(field(at.selectbox, "Image").options) == 6
    assert "run with seed 0" in " ".join(c.value for c in at.caption)


def test_an_encoder_of_kerashub_is_offered_where_it_is_installed(
    workspace, started, open_page, read, monkeypatch, tmp_path
) -> None:
    row = hub._row("hub:resnet_vd_18_imagenet", "Eighteen layers.", 11.7, "He et al., 2019", 2019)
    monkeypatch.setattr(hub, "_listed", lambda: {"hub:resnet_vd_18_imagenet": row})
    at = open_page("train")
    read.check(field(at.selectbox, "Encoder").set_value("hub:resnet_vd_18_imagenet").run())
    assert field(at.selectbox, "Encoder weights").value == "preset" and not at.warning
    assert "benchmark this one" in " ".join(c.value for c in at.caption)
    config, _ = parsed(at.code[0].value)
    assert (config.model.encoder, config.model.weights) == ("hub:resnet_vd_18_imagenet", "preset")
    read.check(field(at.selectbox, "Encoder weights").set_value("file").run())
    read.check(field(at.text_input, "Weights file").set_value(str(tmp_path)).run())
    read.check(at.button(key="start_training").click().run())
    (run,) = [row.run for row in workspace.runs.rows() if row.kind == "train"]
    assert ":" not in run and workspace.runs.open(run).config.model.weights == str(tmp_path)
