"""Experiment tracking: MLflow and TensorBoard, off unless asked for."""
