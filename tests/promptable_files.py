"""A small stand-in for the two files of a promptable network, with the inputs and outputs of the real exports.

Its object is what has the colour of the first point, without discs around the points that are not the
object; or the inside of a box. So what it finds shows that image, points and sizes arrived.
"""

from pathlib import Path

import onnx
from onnx import parser

SIDE = 64
DISC = 5
"""Radius, in pixels of the resized image, that a point which is not the object takes away."""

ENCODER = """
<ir_version: 8, opset_import: ["" : 17]>
encoder (float[1, 3, 64, 64] images) => (float[1, 3, 32, 32] embeddings)
{
  embeddings = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (images)
}
"""

DECODER = """
<ir_version: 8, opset_import: ["" : 17]>
decoder (float[1, 3, 32, 32] image_embeddings, float[1, N, 2] point_coords, float[1, N] point_labels,
         float[1, 1, 128, 128] mask_input, float[1] has_mask_input, float[2] orig_im_size)
  => (float[1, 2, H, W] masks, float[1, 2] iou_predictions, float[1, 1, 128, 128] low_res_masks)
{
  zero = Constant <value = int64 {0}> ()
  one = Constant <value = int64 {1}> ()
  corner = Constant <value = int64[2] {0, 0}> ()
  axes = Constant <value = int64[2] {2, 3}> ()
  scales = Constant <value = float[4] {1.0, 1.0, 2.0, 2.0}> ()
  half = Constant <value = float {0.5}> ()
  unit = Constant <value = float {1.0}> ()
  minus = Constant <value = float {-1.0}> ()
  two = Constant <value = float {2.0}> ()
  three = Constant <value = float {3.0}> ()
  nought = Constant <value = float {0.0}> ()
  square = Constant <value = float {25.0}> ()
  far = Constant <value = float {100.0}> ()
  near = Constant <value = float {0.4}> ()
  size = Cast <to = 7> (orig_im_size)
  height = Gather (size, zero)
  width = Gather (size, one)
  large = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (image_embeddings, , scales)
  picture = Slice (large, corner, size, axes)
  ys = Range (zero, height, one)
  xs = Range (zero, width, one)
  yf = Cast <to = 1> (ys)
  xf = Cast <to = 1> (xs)
  yc = Add (yf, half)
  xc = Add (xf, half)
  columnShape = Constant <value = int64[3] {1, -1, 1}> ()
  rowShape = Constant <value = int64[3] {1, 1, -1}> ()
  pointShape = Constant <value = int64[3] {-1, 1, 1}> ()
  yy = Reshape (yc, columnShape)
  xx = Reshape (xc, rowShape)
  allX = Gather <axis = 2> (point_coords, zero)
  allY = Gather <axis = 2> (point_coords, one)
  px = Reshape (allX, pointShape)
  py = Reshape (allY, pointShape)
  labels = Reshape (point_labels, pointShape)
  dx = Sub (xx, px)
  dy = Sub (yy, py)
  dx2 = Mul (dx, dx)
  dy2 = Mul (dy, dy)
  distance = Add (dx2, dy2)
  isNear = Less (distance, square)
  isNot = Equal (labels, nought)
  taken = And (isNear, isNot)
  takenF = Cast <to = 1> (taken)
  gone = ReduceMax <axes = [0], keepdims = 1> (takenF)
  point = Gather <axis = 1> (point_coords, zero)
  minusOne = Constant <value = int64[1] {-1}> ()
  flat = Reshape (point, minusOne)
  placeF = Floor (flat)
  place = Cast <to = 7> (placeF)
  atX = Gather (place, zero)
  atY = Gather (place, one)
  line = Gather <axis = 2> (picture, atY)
  colour = Gather <axis = 2> (line, atX)
  colourShape = Constant <value = int64[4] {1, -1, 1, 1}> ()
  shade = Reshape (colour, colourShape)
  apart = Sub (picture, shade)
  apartAbs = Abs (apart)
  mean = ReduceMean <axes = [1], keepdims = 1> (apartAbs)
  alike = Sub (near, mean)
  isFirst = Equal (labels, two)
  isLast = Equal (labels, three)
  firstF = Cast <to = 1> (isFirst)
  lastF = Cast <to = 1> (isLast)
  leftAll = Mul (px, firstF)
  topAll = Mul (py, firstF)
  rightAll = Mul (px, lastF)
  bottomAll = Mul (py, lastF)
  left = ReduceMax <axes = [0], keepdims = 1> (leftAll)
  top = ReduceMax <axes = [0], keepdims = 1> (topAll)
  right = ReduceMax <axes = [0], keepdims = 1> (rightAll)
  bottom = ReduceMax <axes = [0], keepdims = 1> (bottomAll)
  a = Greater (xx, left)
  b = Greater (yy, top)
  c = Less (xx, right)
  d = Less (yy, bottom)
  ab = And (a, b)
  cd = And (c, d)
  inside = And (ab, cd)
  boxed = Where (inside, unit, minus)
  anyBox = ReduceMax <axes = [0], keepdims = 1> (firstF)
  hasBox = Greater (anyBox, nought)
  chosen = Where (hasBox, boxed, alike)
  less = Mul (gone, far)
  mask = Sub (chosen, less)
  other = Neg (mask)
  masks = Concat <axis = 1> (other, mask)
  iou_predictions = Constant <value = float[1, 2] {0.2, 0.9}> ()
  low_res_masks = Mul (mask_input, has_mask_input)
}
"""


def write_promptable(folder: Path) -> tuple[Path, Path]:
    """Write both files; return the encoder's and the decoder's path."""
    files = folder / "encoder.onnx", folder / "decoder.onnx"
    for file, text in zip(files, (ENCODER, DECODER), strict=True):
        onnx.save(parser.parse_model(text), str(file))
    return files
