"""The bands that are shown are chosen on a page, and every picture follows."""

from segcore.data.formats.importers import ImportRules, import_dataset, parse_bands
from tests.data.bands.band_rasters import NAMES, write_source

SIZE = (12, 16)


def add_fields(workspace, tmp_path):
    source = write_source(tmp_path / "source", SIZE)
    place = workspace.datasets.folder / "fields"
    import_dataset(source, place, "fields", rules=ImportRules(bands=parse_bands("all", "ndvi")))


def test_a_choice_is_kept_and_figures_are_those_of_the_bands(workspace, tmp_path, open_page, read):
    add_fields(workspace, tmp_path)
    at = open_page("dataset", dataset="fields", show="Image statistics")
    table = next(t.value for t in at.dataframe if "deviation" in t.value)
    figures = workspace.bands.figures("fields", None)
    assert table["band"].tolist() == [*NAMES, "ndvi"]
    assert table["mean"].tolist() == [one.mean for one in figures]
    at = read.check(at.radio(key="dataset_bands_fields_way").set_value("One as grey").run())
    at = read.check(at.selectbox(key="dataset_bands_fields_Band").set_value("nir").run())
    read.check(at.button(key="dataset_bands_fields_show").click().run())
    assert workspace.bands.display("fields").shown == (3,)


def test_pictures_have_no_bands_to_choose(open_page):
    at = open_page("dataset", dataset="tiny")
    assert not [button for button in at.button if button.label == "Show"]


def test_the_editor_offers_them_too(workspace, tmp_path, open_page):
    add_fields(workspace, tmp_path)
    at = open_page("edit", dataset="fields")
    assert at.button(key="edit_bands_fields_show").label == "Show"
