"""A conditional random field as a trainable layer: mean field over a local window."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="segcore")
class ConvCRF(keras.layers.Layer):
    """Mean-field inference with kernels cut to a window, in the form of a convolution.

    ``Q_0 = softmax(U)``; ``Q_(t+1) = softmax(U + sum_m w_m (K_m Q_t) M)``, where U are the logits,
    M (C, C) is the compatibility, starting at the identity (Potts), and K_m are two kernels over
    the positions j != i of a window around i,

    - smoothness ``exp(-|p_i - p_j|^2 / (2 theta_gamma^2))``,
    - appearance ``exp(-|p_i - p_j|^2 / (2 theta_alpha^2) - |I_i - I_j|^2 / (2 theta_beta^2))``,

    each divided by sqrt(z_i z_j), z being its row sums. All weights, thetas and M are learned
    (thetas through their logarithm). Teichmann, Cipolla, "Convolutional CRFs", BMVC 2019; kernels
    of Kraehenbuehl, Koltun, NeurIPS 2011.

    Args:
        window: Odd side of the window, in positions of the blurred map.
        iterations: Mean-field steps.
        blur: Messages are computed on maps averaged over ``blur`` x ``blur`` pixels and enlarged
            again; 1 for full resolution.
        theta_gamma: Reach of smoothness, pixels.
        theta_alpha: Reach of appearance, pixels.
        theta_beta: Reach of appearance in colour, levels 0..255.
        smoothness: First weight of the smoothness kernel.
        appearance: First weight of the appearance kernel.
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(
        self,
        window: int = 7,
        iterations: int = 3,
        blur: int = 4,
        theta_gamma: float = 3.0,
        theta_alpha: float = 80.0,
        theta_beta: float = 13.0,
        smoothness: float = 1.0,
        appearance: float = 1.0,
        **kwargs: Any,
    ) -> None:
        kwargs["dtype"] = "float32"  # sums over a window of exponentials need the bits
        super().__init__(**kwargs)
        self.arguments: dict[str, Any] = {
            "window": window,
            "iterations": iterations,
            "blur": blur,
            "theta_gamma": theta_gamma,
            "theta_alpha": theta_alpha,
            "theta_beta": theta_beta,
            "smoothness": smoothness,
            "appearance": appearance,
        }
        self.window, self.iterations, self.blur = window, iterations, blur
        ys, xs = np.mgrid[:window, :window] - window // 2
        self._distances = (((ys**2 + xs**2) * blur**2).reshape(-1)).astype(
            np.float32
        )  # (w w,), pixels squared

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        """Create the thetas, the two kernel weights and the compatibility matrix."""
        scores, _ = input_shape
        first = keras.initializers.Constant
        thetas = [self.arguments[f"theta_{name}"] for name in ("gamma", "alpha", "beta")]
        self.log_thetas = self.add_weight(
            name="log_thetas", shape=(3,), initializer=first(np.log(thetas))
        )
        weights = [self.arguments["smoothness"], self.arguments["appearance"]]
        self.kernel_weights = self.add_weight(
            name="kernel_weights", shape=(2,), initializer=first(weights)
        )
        self.compatibility = self.add_weight(
            name="compatibility", shape=(scores[-1], scores[-1]), initializer="identity"
        )

    def _patches(self, x: Any) -> Any:
        """Return each position's window: (B, h, w, D) to (B, h, w, window * window, D)."""
        channels = x.shape[-1]
        patches = ops.image.extract_patches(x, self.window, strides=1, padding="same")
        return ops.reshape(patches, (-1, *x.shape[1:3], self.window**2, channels))

    def _kernels(self, image: Any) -> tuple[Any, Any]:
        """Return both kernels (B, h, w, window * window), 0 at the centre, and 1 / sqrt(z)."""
        distances = ops.convert_to_tensor(self._distances)
        inside = self._patches(ops.ones_like(image[..., :1]))[..., 0]
        inside = inside * ops.cast(distances > 0, "float32")
        precision = 0.5 * ops.exp(-2 * self.log_thetas)
        smooth = ops.exp(-distances * precision[0]) * inside
        colours = ops.sum(ops.square(self._patches(image) - image[..., None, :]), -1)
        appear = ops.exp(-distances * precision[1] - colours * precision[2]) * inside
        return smooth, appear

    def _blurred(self, x: Any) -> Any:
        return ops.average_pool(x, self.blur, self.blur, padding="same") if self.blur > 1 else x

    def call(self, inputs: list[Any]) -> Any:
        """Refine logits.

        Args:
            inputs: Logits (B, H, W, C) and the image (B, H, W, 3) in levels 0..255 (any offset).

        Returns:
            Refined logits (B, H, W, C) float32.
        """
        scores, image = inputs
        kernels = [
            (kernel, ops.rsqrt(ops.sum(kernel, -1, keepdims=True) + 1e-8))
            for kernel in self._kernels(self._blurred(image))
        ]
        refined = scores
        for _ in range(self.iterations):
            q = self._blurred(ops.softmax(refined))
            message = 0.0
            for m, (kernel, scale) in enumerate(kernels):
                gathered = ops.einsum("bhwk,bhwkc->bhwc", kernel, self._patches(q * scale)) * scale
                message = message + self.kernel_weights[m] * gathered
            message = ops.matmul(message, self.compatibility)
            if self.blur > 1:
                message = ops.image.resize(message, scores.shape[1:3], interpolation="bilinear")
            refined = scores + message
        return refined

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return the shape of the logits."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), **self.arguments}
