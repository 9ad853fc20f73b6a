"""TensorFlow: steps as graphs, several devices and machines, OpenVINO from a frozen graph."""
