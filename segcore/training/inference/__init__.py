"""Prediction: inference views, backends, combining members, the prediction service."""
