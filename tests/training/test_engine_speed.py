"""The doctor's timing of an engine, on a tiny network."""

from segcore.training import engine_speed


def test_an_engine_trains_for_a_few_steps_in_each_precision():
    found = engine_speed.main(["--encoder", "tiny", "--size", "32x64"])
    assert found.keys() == {"float32", "mixed_bfloat16"} and min(found.values()) > 0
