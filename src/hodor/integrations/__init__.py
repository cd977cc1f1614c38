"""Plugs into annotation tools: CVAT, Label Studio, napari. Each is a module that its tool loads."""
