"""Layers and blocks that architectures share.

Whatever imports one of them has them all: a network is read from its file by the names of its
layers, in a process that built none.
"""

from segcore.models.layers import attention, conv_crf, fused, layers, tokens

__all__ = ["attention", "conv_crf", "fused", "layers", "tokens"]
