"""Descriptors as data: tables, retrieval, projections, heat maps, finding objects again."""

from hodor.analysis.attention import Attention, attention, attention_figure, check_pixel
from hodor.analysis.crops import read_crops
from hodor.analysis.export import AnalysedVideo, describe_videos
from hodor.analysis.figures import (
    grid_figure,
    retrieval_figure,
    scatter_figure,
    window_figure,
)
from hodor.analysis.finding import Found, by_video, find_in_table, find_in_videos, found_page
from hodor.analysis.heatmaps import Heatmaps, heatmap_figure, heatmaps
from hodor.analysis.hover import hover_page
from hodor.analysis.projection import pca, tsne
from hodor.analysis.retrieval import Retrieval, retrieval
from hodor.analysis.table import Descriptor, DescriptorTable, read_table, write_table

__all__ = [
    "AnalysedVideo",
    "Attention",
    "Descriptor",
    "DescriptorTable",
    "Found",
    "Heatmaps",
    "Retrieval",
    "attention",
    "attention_figure",
    "by_video",
    "check_pixel",
    "describe_videos",
    "find_in_table",
    "find_in_videos",
    "found_page",
    "grid_figure",
    "heatmap_figure",
    "heatmaps",
    "hover_page",
    "pca",
    "read_crops",
    "read_table",
    "retrieval",
    "retrieval_figure",
    "scatter_figure",
    "tsne",
    "window_figure",
    "write_table",
]
