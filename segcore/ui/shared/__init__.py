"""What two pages or more need."""

from segcore import formatting as figures

__all__ = ["figures"]
