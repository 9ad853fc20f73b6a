"""Tables as every page draws them."""

from pathlib import Path

import pytest
import streamlit as st

from segcore.ui.shared import tables

ROOT = Path(__file__).resolve().parents[3]
IOU = {
    "IoU": st.column_config.NumberColumn(format="percent"),
    "gain": st.column_config.NumberColumn(format="%+.1f"),
}


def test_shares_are_percentages_and_the_unknown_is_a_dash(monkeypatch) -> None:
    drawn = {}
    monkeypatch.setattr(st, "dataframe", lambda rows, **settings: drawn.update(settings, rows=rows))
    rows = [
        {"class": "road", "IoU": 0.92, "gain": 0.5},
        {"class": "pole", "IoU": None, "gain": 1.0},
    ]
    tables.draw(rows, column_config=IOU)
    assert (
        drawn["rows"][0] == {"class": "road", "IoU": pytest.approx(92), "gain": 0.5}
        and drawn["rows"][1]["IoU"] is None
    )
    assert [drawn["column_config"][name]["type_config"]["format"] for name in IOU] == [
        "%.1f %%",
        "%+.1f",
    ]
    assert drawn["placeholder"] == "–" and rows[0]["IoU"] == 0.92


@pytest.mark.parametrize(
    ("rows", "height"), [(10, None), (11, "content"), (16, "content"), (17, None)]
)
def test_no_row_is_cut_in_half_where_all_but_fit(monkeypatch, rows, height) -> None:
    drawn = {}
    monkeypatch.setattr(st, "dataframe", lambda rows, **settings: drawn.update(settings))
    tables.draw([{"class": str(number)} for number in range(rows)])
    assert drawn.get("height") == height


def test_no_page_draws_a_table_of_its_own_kind() -> None:
    files = [*(ROOT / "pages").glob("*.py"), *(ROOT / "segcore" / "ui").rglob("*.py")]
    assert [path.name for path in files if "st.dataframe(" in path.read_text(encoding="utf-8")] == [
        "tables.py"
    ]


def test_rows_become_a_csv_file_when_the_button_is_clicked(monkeypatch) -> None:
    buttons = []
    monkeypatch.setattr(
        st, "download_button", lambda *words, **named: buttons.append((words, named))
    )
    rows = [{"class": "road", "IoU": 0.5}]
    tables.download_csv(rows, "scores", "csv_scores")
    rows.append({"class": "pole, tall", "IoU": None})
    ((_, write, file_name, kind), named) = buttons[0]
    assert (file_name, kind, named["key"]) == ("scores.csv", "text/csv", "csv_scores")
    assert write().decode().splitlines() == ["class,IoU", "road,0.5", '"pole, tall",']
