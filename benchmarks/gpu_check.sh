#!/bin/bash
# Checks and measures a GPU: benchmarks/gpu_check.sh OUT [WHEELS] [options of gpu_check.py]
#
# For a bare Linux machine with a driver and PyTorch, JAX or TensorFlow. Packages that are missing are installed beside it, into
# OUT/packages, from the wheels in the folder WHEELS if it is given (made by: pip download -d WHEELS -r benchmarks/gpu_check.txt),
# else from the package index. Nothing of the machine's own Python is changed. Results: OUT/gpu.json and OUT/gpu.md.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: $0 OUT [WHEELS] [options of gpu_check.py]" >&2; exit 2; }
root="$(cd "$(dirname "$0")/.." && pwd)"
mkdir -p "$1"
out="$(cd "$1" && pwd)"
shift
source_options=()
if [ $# -ge 1 ] && [ -d "$1" ]; then
    source_options=(--no-index --find-links "$1")
    shift
fi
python="${PYTHON:-python3}"
missing=()
while read -r line; do
    package="${line%%[<>=!~ ]*}"
    case "$package" in "" | \#*) continue ;; esac
    "$python" -c "import importlib.metadata as m; m.version('$package')" 2>/dev/null || missing+=("$line")
done <"$root/benchmarks/gpu_check.txt"
if [ ${#missing[@]} -gt 0 ]; then
    "$python" -m pip install --quiet --no-deps --target "$out/packages" "${source_options[@]}" "${missing[@]}"
    export PYTHONPATH="$out/packages${PYTHONPATH:+:$PYTHONPATH}"
fi
exec "$python" "$root/benchmarks/gpu_check.py" "$out" "$@"
