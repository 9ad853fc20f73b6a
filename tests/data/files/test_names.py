"""One key for names: spellings that mean the same file pair, others do not."""

import pytest

from segcore.data.files.names import (
    count_endings,
    folder_words,
    is_litter,
    list_files,
    list_images,
    name_key,
    name_keys,
    strip_suffixes,
)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("a.png", "a"),
        ("sub\\a.PNG", "sub/a"),
        ("./sub//a.png.png", "sub/a"),
        ("a.nii.gz", "a"),
        ("a.jpg.json", "a"),
        ("frame.1.png", "frame.1"),
        ("scan.tif_mask.png", "scan.tif_mask"),
        ("Gro\u0308\u00dfe.png", "Gr\u00f6\u00dfe"),
        ("png", "png"),
        ("sub/.png", "sub/.png"),
    ],
)
def test_a_key_is_one_spelling(written, key):
    assert name_key(written) == key
    assert name_key(key) == key


def test_looser_keys_come_last():
    assert name_keys("A_0000.png") == ("A_0000", "a_0000", "a")
    assert strip_suffixes("a.b.c") == "a.b.c"


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("CameraRGB", ["camera", "rgb"]),
        ("CameraSeg", ["camera", "seg"]),
        ("labelsTr", ["labels", "train"]),
        ("imagesTs", ["images", "test"]),
        ("SegmentationClass", ["segmentation", "class"]),
        ("ground_truth", ["ground", "truth"]),
        ("Tr", ["tr"]),
        ("masks2", ["masks2"]),
        ("", []),
    ],
)
def test_folders_are_read_word_by_word(folder, words):
    assert folder_words(folder) == words


def test_litter_of_macs_and_windows_is_not_listed(tmp_path):
    names = [
        "b/a10.png",
        "b/a2.PNG",
        "b/._a2.png",
        "__MACOSX/x.png",
        "Thumbs.db",
        "desktop.ini",
        ".DS_Store",
        ".git/y.png",
        "note.txt",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.png").symlink_to(tmp_path / "b/a10.png")
    assert list_files(tmp_path) == ["b/a2.PNG", "b/a10.png", "link.png", "note.txt"]
    assert list_images(tmp_path, links=False) == ["b/a2.PNG", "b/a10.png"]
    assert is_litter("x/Thumbs.db") and not is_litter("x/thumbs.png")
    assert (
        count_endings(["a.nii.gz", "b.txt", "c.TXT", "README"]) == "2 .txt, 1 .nii.gz, 1 no ending"
    )
