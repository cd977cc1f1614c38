"""Benchmarks and their scores, baselines, comparisons, reports, and clips made of stills.

What needs PyTorch is loaded when first used: scoring, and each process that helps with it, does
without.
"""

from typing import TYPE_CHECKING

from hodor.evaluation.baselines import copy_masks, optical_flow
from hodor.evaluation.benchmark import Benchmark, BenchmarkSequence, is_scored
from hodor.evaluation.comparison import Paired, compare, sequence_means
from hodor.evaluation.confidence import (
    Judged,
    Reliability,
    calibration_curve,
    judge,
    reliability,
    reliability_table,
)
from hodor.evaluation.davis import DavisDataset
from hodor.evaluation.label_map_files import read_label_map
from hodor.evaluation.methods import BASELINES, Method
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
from hodor.evaluation.page import MethodResults, write_page
from hodor.evaluation.paths import Keyframe, Path2D
from hodor.evaluation.reports import comparison_table, score_table, table_2, write_csv
from hodor.evaluation.runs import (
    Execution,
    SequenceNote,
    read_notes,
    read_settings,
    run_method,
    undone,
)
from hodor.evaluation.scores import (
    FrameScore,
    ObjectScores,
    Scores,
    check_folders,
    score_folder,
    score_folders,
)
from hodor.evaluation.split_folders import LvosDataset, MoseDataset, YouTubeVosDataset
from hodor.evaluation.submission import check_submission, write_submission
from hodor.evaluation.tracked import Step, Tracked, track_dataset, track_sequence
from hodor.lazy import names_of

if TYPE_CHECKING:
    from hodor.evaluation.held_out import (
        AnnotatedSequence,
        HeldOutScores,
        score_held_out,
        still_sequences,
        video_sequences,
    )
    from hodor.evaluation.validation import davis_scores

__all__ = [
    "BASELINES",
    "AnnotatedSequence",
    "Benchmark",
    "BenchmarkSequence",
    "Cutout",
    "DavisDataset",
    "Execution",
    "FrameScore",
    "HeldOutScores",
    "Judged",
    "Keyframe",
    "LvosDataset",
    "Method",
    "MethodResults",
    "MoseDataset",
    "ObjectMeasures",
    "ObjectScores",
    "Paired",
    "Path2D",
    "Reliability",
    "Scores",
    "SequenceNote",
    "Statistics",
    "Step",
    "Tracked",
    "YouTubeVosDataset",
    "boundary_accuracy",
    "boundary_map",
    "calibration_curve",
    "check_folders",
    "check_submission",
    "compare",
    "comparison_table",
    "copy_masks",
    "cut_out",
    "davis_scores",
    "is_scored",
    "judge",
    "make_clip",
    "measure_label_maps",
    "moving_stills_benchmark",
    "optical_flow",
    "read_label_map",
    "read_notes",
    "read_settings",
    "region_similarity",
    "reliability",
    "reliability_table",
    "run_method",
    "score_folder",
    "score_folders",
    "score_held_out",
    "score_table",
    "sequence_means",
    "statistics",
    "still_sequences",
    "table_2",
    "track_dataset",
    "track_sequence",
    "undone",
    "video_sequences",
    "write_csv",
    "write_davis",
    "write_page",
    "write_submission",
]

_WITH_TORCH = {
    "AnnotatedSequence": "held_out",
    "HeldOutScores": "held_out",
    "score_held_out": "held_out",
    "still_sequences": "held_out",
    "video_sequences": "held_out",
    "davis_scores": "validation",
}

__getattr__ = names_of(__name__, _WITH_TORCH)
