"""What one entry of a table says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """One entry of a table.

    Attributes:
        title: Display name.
        summary: One line for a form: what it is and when to take it.
        paper: Where it comes from ("Ronneberger et al., MICCAI 2015"), or "" for common practice.
    """

    title: str
    summary: str
    paper: str = ""
