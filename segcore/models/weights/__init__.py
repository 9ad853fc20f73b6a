"""Reading pretrained weights from npz, HDF5 and PyTorch files."""
