"""What a model has to beat: one constant times the bubble of 1F1B.

time = c F (1 + (p - 1) / (v m)) / (devices x peak), F the model's FLOPs with those made again. The
constant is fitted to the very table it is judged on, as the median of measured over formula, which
no prediction of ours is.
"""

from dataclasses import replace

import numpy as np

from star_watos.validate.runs.predict import Prediction
from star_watos.validate.runs.row import Run

PEAK_FLOPS_PER_S = 1e12
"""Any rate: the constant takes it up."""


def baseline(predictions: list[Prediction]) -> list[Prediction]:
    """Return the same runs with the baseline's times in place of the model's."""
    shapes = np.array([_shape_s(p) for p in predictions])
    measured = np.array([_measured_s(p) for p in predictions])
    seconds = shapes * np.median(measured / shapes)
    return [
        replace(p, iter_time_s=float(s), tflops_per_gpu=p.tflops_per_gpu * p.iter_time_s / float(s))
        for p, s in zip(predictions, seconds, strict=True)
    ]


def _shape_s(prediction: Prediction) -> float:
    """Return the formula without its constant; FLOPs are those of the prediction."""
    run = prediction.run
    flops = prediction.hardware_flops / run.devices
    return flops * (1 + _bubble(run)) / PEAK_FLOPS_PER_S


def _bubble(run: Run) -> float:
    n_microbatches = run.global_batch / (run.replicas * run.micro_batch)
    return (run.pp - 1) / (run.interleave_v * n_microbatches)


def _measured_s(prediction: Prediction) -> float:
    """Return the measured iteration, from the rate where that is what was published."""
    run = prediction.run
    if run.iter_time_s is not None:
        return run.iter_time_s
    if run.tflops_per_gpu is not None:
        return prediction.iter_time_s * prediction.tflops_per_gpu / run.tflops_per_gpu
    return prediction.iter_time_s
