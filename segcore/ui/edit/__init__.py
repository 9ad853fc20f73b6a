"""Drawing on the mask of one image, with proposals and a history."""
