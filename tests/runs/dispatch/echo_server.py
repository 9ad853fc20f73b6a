"""The other side of the warm process's tests."""

import os
import sys
import time

import numpy as np

from segcore.errors import SegcoreError
from segcore.runs.dispatch.warm_process import serve


def echo(request, arrays):
    print("noise on standard output")
    return {"pid": os.getpid(), **request}, dict(arrays)


def double(request, arrays):
    return {}, {name: array * 2 for name, array in arrays.items()}


def refuse(request, arrays):
    raise SegcoreError("Expected something else, received this: change it.")


def fault(request, arrays):
    raise RuntimeError("odd")


def die(request, arrays):
    os._exit(9)


def sleep(request, arrays):
    time.sleep(request["seconds"])
    return {}, {"x": np.zeros(3)}


if __name__ == "__main__":
    serve(
        {
            "echo": echo,
            "double": double,
            "refuse": refuse,
            "fault": fault,
            "die": die,
            "sleep": sleep,
        }
    )
    sys.exit(0)
