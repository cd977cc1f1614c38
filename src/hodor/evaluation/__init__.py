"""J and F, the DAVIS layout, scores of result folders, baselines, and clips made of stills."""

from hodor.evaluation.baselines import copy_first_mask, optical_flow
from hodor.evaluation.confidence import (
    Judged,
    Reliability,
    calibration_curve,
    judge,
    reliability,
    reliability_table,
)
from hodor.evaluation.davis import DavisDataset, DavisSequence
from hodor.evaluation.label_map_files import read_label_map
from hodor.evaluation.metrics import (
    ObjectMeasures,
    Statistics,
    boundary_accuracy,
    boundary_map,
    measure_label_maps,
    region_similarity,
    statistics,
)
from hodor.evaluation.moving_stills import Cutout, make_clip
from hodor.evaluation.moving_stills_benchmark import cut_out, moving_stills_benchmark, write_davis
from hodor.evaluation.paths import Keyframe, Path2D
from hodor.evaluation.reports import score_table, write_csv
from hodor.evaluation.scores import ObjectScores, Scores, score_folder
from hodor.evaluation.tracked import Tracked, track_dataset

__all__ = [
    "Cutout",
    "DavisDataset",
    "DavisSequence",
    "Judged",
    "Keyframe",
    "ObjectMeasures",
    "ObjectScores",
    "Path2D",
    "Reliability",
    "Scores",
    "Statistics",
    "Tracked",
    "boundary_accuracy",
    "boundary_map",
    "calibration_curve",
    "copy_first_mask",
    "cut_out",
    "judge",
    "make_clip",
    "measure_label_maps",
    "moving_stills_benchmark",
    "optical_flow",
    "read_label_map",
    "region_similarity",
    "reliability",
    "reliability_table",
    "score_folder",
    "score_table",
    "statistics",
    "track_dataset",
    "write_csv",
    "write_davis",
]
