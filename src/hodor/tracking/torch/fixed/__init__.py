"""The step at fixed shapes: objects and frames padded, so that a GPU can play it back in one go."""
