"""Whole videos: one through its sinks, one to a folder, many of them; each goes on after a kill."""

from hodor.runs.folder import Outputs, track_to_folder
from hodor.runs.many import ListedVideo, read_list, track_many, unfinished
from hodor.runs.pipeline import Progress, Summary, resume, track_video, write_summary

__all__ = [
    "ListedVideo",
    "Outputs",
    "Progress",
    "Summary",
    "read_list",
    "resume",
    "track_many",
    "track_to_folder",
    "track_video",
    "unfinished",
    "write_summary",
]
