"""Whole videos: one through its sinks, one to a folder, many of them; each goes on after a kill."""

from hodor.runs.first_masks import masks_for_run, read_frame, write_first_masks
from hodor.runs.folder import Outputs, is_begun, is_finished, track_to_folder
from hodor.runs.looking import Doubtful, most_doubtful
from hodor.runs.many import ListedVideo, read_list, track_many, unfinished
from hodor.runs.pairing import find_videos, pair_videos
from hodor.runs.pipeline import Progress, resume, track_video, write_summary
from hodor.runs.report import VideoReport, report_videos, write_report
from hodor.runs.summary import Summary

__all__ = [
    "Doubtful",
    "ListedVideo",
    "Outputs",
    "Progress",
    "Summary",
    "VideoReport",
    "find_videos",
    "is_begun",
    "is_finished",
    "masks_for_run",
    "most_doubtful",
    "pair_videos",
    "read_frame",
    "read_list",
    "report_videos",
    "resume",
    "track_many",
    "track_to_folder",
    "track_video",
    "unfinished",
    "write_first_masks",
    "write_report",
    "write_summary",
]
