"""The doctor's timing of an engine, on a tiny network."""

import json

from segcore.training import engine_speed


def test_an_engine_trains_for_a_few_steps_in_each_precision(capsys):
    found = engine_speed.main(["--encoder", "tiny", "--size", "32x64"])
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert last == found and first == {"float32": found["float32"]}, "said as soon as it is known"
    assert found.keys() == {"float32", "mixed_bfloat16"} and min(found.values()) > 0
