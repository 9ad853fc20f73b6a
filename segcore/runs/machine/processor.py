"""What the processor can do, as the system lists it."""

from pathlib import Path

_CPU = Path("/proc/cpuinfo")

SLOW_BFLOAT16 = (
    "This processor does not multiply in bfloat16: mixed bfloat16 takes several times as long "
    "here as float32. Choose float32."
)


def has_bfloat16() -> bool | None:
    """Whether the processor multiplies in bfloat16 (AVX-512 BF16, AMX, Arm's BF16); None if unknown."""
    try:
        lines = _CPU.read_text().splitlines()
    except OSError:
        return None
    words = next((line.split() for line in lines if line.startswith(("flags", "Features"))), None)
    return None if words is None else bool({"avx512_bf16", "amx_bf16", "bf16"} & set(words))
