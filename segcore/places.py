"""Where the app's own files are: next to the package in a checkout, inside it once installed."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def front() -> Path:
    """Return the folder of ``app.py``, ``pages/`` and ``assets/``.

    The checkout, else the installed package's ``front/``.
    """
    checkout = _PACKAGE.parent
    return (
        checkout
        if (checkout / "app.py").is_file() and (checkout / "pages").is_dir()
        else _PACKAGE / "front"
    )
