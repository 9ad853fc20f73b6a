"""Where the app's files go: beside the package in a checkout, inside it once installed.

The dense CRF has no wheel and needs a C++ compiler, so an installation leaves it to the extra
``crf``; ``make app`` brings it. ``SEGSCOPE_TENSORFLOW=0`` leaves out TensorFlow, where another
engine is to train.
"""

import os
from pathlib import Path

from setuptools import find_namespace_packages, setup

FRONT = "segcore.front"
PARTS = ("pages", "assets", "docs", "studies")
NEEDED = [
    line
    for line in Path("requirements.txt").read_text().splitlines()
    if line.strip() and not line.startswith("#")
]
LEFT_OUT = ["pydensecrf2"]
if os.environ.get("SEGSCOPE_TENSORFLOW") == "0":
    LEFT_OUT.append("tensorflow")

setup(
    packages=[
        *find_namespace_packages(include=["segcore", "segcore.*"]),
        FRONT,
        *(f"{FRONT}.{part}" for part in PARTS),
    ],
    package_dir={FRONT: ".", **{f"{FRONT}.{part}": part for part in PARTS}},
    package_data={
        "segcore": ["*.json"],
        "segcore.evaluation.pages": ["templates/*.html"],
        "segcore.ui.viewer": ["*.js", "drawing/*.js", "*.css", "*.json"],
        FRONT: [".streamlit/config.toml"],
        f"{FRONT}.assets": ["*.svg", "*.png", "demo/**/*"],
        f"{FRONT}.docs": ["**/*.md", "*.csv", "*.ipynb", "images/*"],
        f"{FRONT}.studies": ["*.json"],
    },
    install_requires=[line for line in NEEDED if not line.startswith(tuple(LEFT_OUT))],
)
