"""The notebook in docs/ says what exists, holds no place of the machine that ran it, and runs."""

import ast
import builtins
import inspect
import json
import re
from pathlib import Path

import pytest

import segcore.api
from segcore.api.params import KEYS

pytestmark = pytest.mark.tensorflow

NOTEBOOK = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "camvid.ipynb").read_text("utf-8")
)
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
TREE = ast.parse("\n".join(CODE))
BLOCK = """
full_count, dist_df_count = mlos(params, "Count", write_balance=True)
write_segment_data(params, "train", True)
model = Train_Model(params, loss_func=jaccard_distance, reduce_map=False)
results = Predict_Model(params, model, test=True, ensemble=False)
labels = pd.read_csv(params["label_scores"], sep=";")
eval_df = evaluate(model, params, ensemble=False)
"""


def test_it_holds_the_block() -> None:
    assert [line for line in BLOCK.split("\n") if line not in "\n".join(CODE)] == []


def test_it_names_only_what_exists() -> None:
    names = [node for node in ast.walk(TREE) if isinstance(node, ast.Name)]
    made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    imports = [node for node in ast.walk(TREE) if isinstance(node, ast.Import | ast.ImportFrom)]
    imported = {alias.asname or alias.name for node in imports for alias in node.names}
    known = made | imported | set(segcore.api.__all__) | set(dir(builtins))
    assert {node.id for node in names} - known == set()
    for call in (
        node
        for node in ast.walk(TREE)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ):
        function = getattr(segcore.api, call.func.id, None)
        if function is not None:
            inspect.signature(function).bind(
                *call.args, **{keyword.arg: None for keyword in call.keywords}
            )
    (params,) = (
        node.value
        for node in TREE.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "params"
    )
    assert {key.value for key in params.keys} <= set(KEYS)


def test_its_outputs_are_there_and_hold_no_place_of_a_machine() -> None:
    outputs = [
        output
        for cell in NOTEBOOK["cells"]
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
    ]
    assert len(outputs) > len(CODE) - 2 and not [
        output for output in outputs if output["output_type"] == "error"
    ]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert (
        re.findall(r"(?<![\w.:/])/(?:work|tmp|home|root|Users|usr|opt)\b", json.dumps(NOTEBOOK))
        == []
    )


@pytest.mark.slow
@pytest.mark.shared
def test_it_runs(camvid_folder, weights_folder, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("CAMVID", str(camvid_folder))
    monkeypatch.setenv("SQUEEZENET", str(weights_folder / "squeezenet1.1_notop.npz"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in CODE:
        exec(compile(cell, "cell", "exec"), names)
    labels, scores = names["labels"], names["eval_df"]
    assert len(labels) == len(scores) == 11 and scores.attrs["num_samples"] == 233
    assert 0.1 < scores.attrs["mean_iou"] < 0.6
    assert "mean IoU" in capsys.readouterr().out
