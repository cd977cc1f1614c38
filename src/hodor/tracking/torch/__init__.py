"""The runtime on PyTorch: from a frame to an image, the network, and label maps."""
