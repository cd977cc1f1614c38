"""The runtime on onnxruntime, with NumPy and without PyTorch: what ``torch`` does, file by file."""
