"""The balancing augmentation: how often each image is repeated, class weights, crop shares."""
