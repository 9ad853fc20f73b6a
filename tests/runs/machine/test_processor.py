import pytest

from segcore.runs.machine import processor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags : fpu amx_bf16", True),
        ("flags : fpu avx512_bf16", True),
        ("Features : fp bf16", True),
        ("flags : avx512f", False),
        ("model name : unnamed", None),
    ],
)
def test_the_processor_is_asked(text, expected, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{text}\n")
    monkeypatch.setattr(processor, "_CPU", tmp_path / "cpuinfo")
    assert processor.has_bfloat16() is expected


def test_a_system_without_the_list_leaves_it_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "_CPU", tmp_path / "absent")
    assert processor.has_bfloat16() is None
