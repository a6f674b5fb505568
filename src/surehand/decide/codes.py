"""The doctor's catalogue: every code with how bad it usually is, what it means and what to do (docs/doctor.md)."""

from surehand.decide.codes_policy import POLICY_CODES
from surehand.decide.known import SEVERITIES, Known, Severity

__all__ = ["CODES", "SEVERITIES", "Known", "Severity"]

_OK_NEXT = "Nothing to do."

CODES: dict[str, Known] = {
    # the folder and its names
    "data.unreadable": Known(
        "error",
        "the dataset cannot be read",
        "Repair or download the dataset again; checks on its frames were skipped.",
    ),
    "data.no_frames": Known(
        "note", "only metadata were examined", "Point --dataset.root at a folder with data/ to check the frames too."
    ),
    "names.count": Known(
        "error",
        "names and shape disagree",
        "Correct names (or shape) in meta/info.json: one name per dimension, in column order.",
    ),
    "names.duplicate": Known(
        "warning", "a joint name appears twice", "Give every column its own name in meta/info.json."
    ),
    "names.layout": Known(
        "error",
        "the layout does not fit the data",
        "Choose another robot, or write a layout with as many columns as the data.",
    ),
    "names.right_first": Known(
        "warning",
        "names list the right side first",
        "Move one arm by hand, record, and see which columns change: widely used ALOHA converters write right-first "
        "names over left-first data.",
    ),
    "names.contradict_data": Known(
        "error",
        "action names contradict the columns",
        "The action columns follow the state by index, not by name: correct the order of the names.",
    ),
    "names.ok": Known("ok", "names and shapes agree", _OK_NEXT),
    # values
    "data.nonfinite": Known(
        "error",
        "NaN or infinity in the recording",
        "Drop or repair these episodes; one such frame makes every mean NaN.",
    ),
    "data.dead_dims": Known(
        "warning",
        "dimensions that never move",
        "Declare them pad(n) in the layout, or leave them out: they dilute a total error, and dividing by their "
        "standard deviation of 0 breaks normalisation.",
    ),
    "data.idle_side": Known(
        "note",
        "one side hardly moves",
        "Read errors per group: the idle side pulls the total down without being a success.",
    ),
    "data.quantised": Known(
        "note",
        "a dimension takes few distinct values",
        "Expect an error floor of about half a step; score it as events.",
    ),
    "data.outliers": Known(
        "warning",
        "values far outside the rest",
        "Look at these frames: one glitch sets min and max, and so the whole min/max normalisation.",
    ),
    "data.wrap": Known(
        "warning",
        "an angle jumps by a full turn",
        "Declare the joint continuous, so that its error is taken on the circle; unwrap it before training.",
    ),
    "data.units": Known(
        "warning",
        "values do not fit the unit",
        "Correct the unit in the layout, or convert the data (degrees, radians).",
    ),
    "data.looks_normalised": Known(
        "warning",
        "the recording looks already normalised",
        "Make sure raw actions were recorded: normalising twice trains on other numbers than the robot needs.",
    ),
    "data.gripper_range": Known(
        "note", "gripper convention", "Check that the deployed controller expects this range and polarity."
    ),
    "data.gripper_polarity": Known(
        "note",
        "gripper action and state run in opposite directions",
        "Usual where the command says closed and the state says width; make sure no code compares the two.",
    ),
    "data.delta_actions": Known(
        "note", "actions look like deltas", "Declare the reference delta; never compare them with absolute predictions."
    ),
    "data.mixed_reference": Known(
        "note",
        "some dimensions are deltas, others absolute",
        "Usual for a delta arm with an absolute gripper; declare kinds in the layout.",
    ),
    "data.action_is_next_state": Known(
        "note",
        "actions are the state, shifted",
        "The commands were not recorded; a policy learns to follow the measured motion, and contact forces are lost.",
    ),
    "data.sides_swapped": Known(
        "error",
        "left and right are swapped between action and state",
        "Exchange the two halves of the action (or of the state) in the converter and rebuild the dataset.",
    ),
    "data.ok": Known("ok", "recorded values are sound", _OK_NEXT),
    # episodes and time
    "episode.empty": Known("error", "episodes without frames", "Remove them from the dataset's metadata."),
    "episode.count": Known(
        "warning",
        "info.json and the list of episodes disagree",
        "Download the metadata again, or rebuild them: what is not listed is neither checked nor evaluated.",
    ),
    "episode.length": Known(
        "error", "episode lengths in the metadata are wrong", "Rebuild the episode metadata from the data files."
    ),
    "episode.duplicate": Known(
        "warning",
        "episodes that are copies of each other",
        "Keep one of each: copies count twice, and may land on both sides of a split.",
    ),
    "episode.still": Known(
        "warning", "episodes in which nothing moves", "Drop them, or check why the recording stood still."
    ),
    "episode.frame_index": Known(
        "error", "frame_index has gaps", "Re-number the frames; chunks are cut by row, so a gap joins distant moments."
    ),
    "time.fps": Known("error", "no frame rate", "Set fps in meta/info.json."),
    "time.not_increasing": Known(
        "error", "timestamps do not increase", "Repair the timestamps; loaders pair frames and video by them."
    ),
    "time.rate": Known(
        "error",
        "timestamps contradict fps",
        "Correct fps in meta/info.json, or resample: chunks span another time than assumed.",
    ),
    "time.gap": Known(
        "warning",
        "gaps in the timestamps",
        "Cut the episodes at the gaps, or drop them: frames were lost while recording.",
    ),
    "time.unknown": Known("note", "no timestamps", "Record timestamps; without them lost frames cannot be seen."),
    "episode.ok": Known("ok", "episodes and time are sound", _OK_NEXT),
    # statistics
    "stats.size": Known(
        "error", "statistics of another size", "Point at the statistics of this robot and this action key."
    ),
    "stats.nonfinite": Known("error", "NaN or infinity in the statistics", "Compute the statistics again."),
    "stats.order": Known(
        "error", "statistics contradict themselves", "Compute them again: min ≤ q01 ≤ q99 ≤ max and std ≥ 0 must hold."
    ),
    "stats.zero_std": Known(
        "error",
        "no spread claimed for a dimension that moves",
        "Compute the statistics again; normalising by them divides by zero.",
    ),
    "stats.per_episode": Known(
        "error",
        "statistics were averaged over episodes",
        "Pool all frames (or merge counts, means and variances); averages of per-episode values are not the data's.",
    ),
    "stats.quantiles_per_episode": Known(
        "warning",
        "quantiles were merged from per-episode quantiles",
        "Compute q01 and q99 over all frames before training with quantile normalisation (LeRobot 0.6.1 averages "
        "per-episode quantiles weighted by frames).",
    ),
    "stats.quantiles": Known(
        "error", "quantiles are not the data's", "Compute q01 and q99 over all training frames again."
    ),
    "stats.mean": Known(
        "error", "the mean is not the data's", "Find the data these statistics were computed on, or compute them again."
    ),
    "stats.std": Known(
        "error",
        "the standard deviation is not the data's",
        "Find the data these statistics were computed on, or compute them again.",
    ),
    "stats.min_max": Known("error", "min and max are not the data's", "Compute them again over all training frames."),
    "stats.other_key": Known(
        "error",
        "statistics of something else than the actions",
        "Use the statistics of the action key; these match what the evidence names.",
    ),
    "stats.subset": Known(
        "note",
        "statistics of other episodes of the same kind",
        "Fine where the policy was trained on a part of this dataset; name the training episodes to be certain.",
    ),
    "stats.unknown": Known("note", "no statistics given", "Pass the checkpoint's statistics to have them checked."),
    "stats.unreadable": Known(
        "warning", "the dataset's statistics cannot be read", "Compute them again: training normalises by them."
    ),
    "stats.ok": Known("ok", "statistics are the data's", _OK_NEXT),
    # predictions
    "predictions.size": Known(
        "error", "predictions of another size", "Use the dataset the policy was trained on, or cut its padding."
    ),
    "predictions.unreadable": Known(
        "error", "the predictions cannot be read", "Write them again; the message names the first row that is wrong."
    ),
    "predictions.unknown_frames": Known(
        "error",
        "predictions for frames that do not exist",
        "Predict again on this dataset; the files do not belong together.",
    ),
    "predictions.nonfinite": Known(
        "error", "NaN or infinity in the predictions", "Find out where the policy diverged; it must not drive a robot."
    ),
    "predictions.no_stats": Known(
        "note",
        "normalised predictions without statistics",
        "Pass the checkpoint's statistics; until then the data's own are used for these checks.",
    ),
    "predictions.space": Known(
        "error",
        "predictions and targets are in different spaces",
        "Pass predictions through the policy's post-processor (un-normalise), or declare the space they are in.",
    ),
    "predictions.scale": Known(
        "error", "predictions have another scale than the targets", "Convert the units; the slope says by how much."
    ),
    "predictions.range": Known(
        "warning",
        "predicted and recorded ranges do not overlap",
        "Check normalisation, units and joint zero positions of these dimensions.",
    ),
    "predictions.variance": Known(
        "warning",
        "predictions vary far more or less than the targets",
        "Compare traces of these dimensions: another unit, a collapsed policy or wrong statistics look like this.",
    ),
    "predictions.delta": Known(
        "error",
        "delta against absolute",
        "Bring both to one reference (integrate deltas from the recorded state) before any error is computed.",
    ),
    "predictions.gripper_polarity": Known(
        "error", "the gripper runs the wrong way", "Flip the predicted gripper (low + high − value) or the dataset's."
    ),
    "predictions.gripper_range": Known(
        "error", "the gripper is in another range", "Map the predicted gripper to the recorded range."
    ),
    "predictions.sides_swapped": Known(
        "error", "left and right are swapped", "Exchange the two sides of the prediction; check the names too."
    ),
    "predictions.column_order": Known(
        "error", "columns are in another order", "Reorder the predicted columns as the evidence lists."
    ),
    "predictions.barely_moves": Known(
        "warning",
        "the policy barely moves",
        "Look at traces: a policy that stays put can have a low error. Compare its skill against hold-last.",
    ),
    "predictions.jitter": Known(
        "warning",
        "the policy moves far more than the recording",
        "Look at traces; smooth or shorten chunks, or check units.",
    ),
    "predictions.identical_draws": Known(
        "warning",
        "all draws are identical",
        "The policy is deterministic or its seed is fixed: K draws say nothing about its confidence.",
    ),
    "predictions.ok": Known("ok", "predictions and targets agree in space", _OK_NEXT),
    # policies
    **POLICY_CODES,
    # splits
    "split.outside": Known("error", "a split names episodes outside the dataset", "Correct the episode list."),
    "split.empty": Known("error", "no held-out episodes", "Hold episodes out, or the numbers describe memory."),
    "split.overlap": Known(
        "error", "training and evaluation share episodes", "Evaluate on episodes that the policy has not seen."
    ),
    "split.copied_episode": Known(
        "error",
        "an evaluation episode is a copy of a training episode",
        "Remove the copies from one side; their index differs, their content does not.",
    ),
    "split.shared_start": Known(
        "note",
        "evaluation episodes start where training episodes start",
        "Say so with the result, and cluster by initial state: such episodes are not new situations.",
    ),
    "split.unseen_task": Known(
        "warning",
        "evaluation holds tasks without a training episode",
        "Report these tasks apart: they measure transfer, not the policy's training.",
    ),
    "split.predicted_training": Known(
        "warning",
        "predictions were made on training episodes",
        "Evaluate on held-out episodes, or say so with the result.",
    ),
    "split.stats_saw_eval": Known(
        "note", "statistics include held-out episodes", "A mild leak, usual in LeRobot; say so with the result."
    ),
    "split.unknown": Known(
        "note", "no split given", "Name the training episodes (or the train_config.json) to have overlap checked."
    ),
    "split.ok": Known("ok", "training and evaluation are apart", _OK_NEXT),
}
