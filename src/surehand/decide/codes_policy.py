"""The doctor's catalogue on policies: part of codes.CODES (docs/doctor.md)."""

from surehand.decide.known import Known

POLICY_CODES: dict[str, Known] = {
    "policy.unreadable": Known(
        "error", "the policy cannot be asked", "The evidence says what is wrong; nothing it would answer was examined."
    ),
    "policy.action_size": Known(
        "error", "the policy answers actions of another size", "Use the dataset of the robot it was trained for."
    ),
    "policy.inputs": Known(
        "error",
        "the policy reads what the dataset does not have",
        "Rename the dataset's feature, or map it for a server (--map); check which dataset the policy was trained on.",
    ),
    "policy.cameras": Known(
        "error",
        "the policy looks through a camera that the dataset does not have",
        "Rename the camera in the dataset, or map it for a server (--map); another camera's picture is no substitute.",
    ),
    "policy.joint_order": Known(
        "error",
        "the policy names its joints in another order",
        "Reorder one of them before anything is compared: every joint would be judged by another one's target.",
    ),
    "policy.normaliser_missing": Known(
        "error",
        "what was trained normalised has no statistics",
        "LeRobot passes a key without statistics through as it is: save the checkpoint again with its dataset's "
        "statistics, under the keys of its features.",
    ),
    "policy.normaliser_inert": Known(
        "error",
        "the normaliser changes nothing",
        "Its statistics are those of numbers that are normalised already; train with the dataset's own.",
    ),
    "policy.normaliser_differs": Known(
        "error",
        "what normalises is not what un-normalises",
        "The checkpoint's files contradict each other: save it again with one mode and one set of statistics.",
    ),
    "policy.state_stats": Known(
        "warning",
        "the policy was trained on other states",
        "Check which dataset, units and joint order it was trained on: it sees these states as far from all it knows.",
    ),
    "policy.image_range": Known(
        "error",
        "pictures are normalised for another range",
        "Statistics of pictures belong to 0..1, as LeRobot's loader gives them; compute them on those.",
    ),
    "policy.channel_order": Known(
        "warning",
        "pictures have red and blue exchanged",
        "Check whether the training pictures came out of OpenCV (blue first); convert on one side.",
    ),
    "policy.blind": Known(
        "warning",
        "the policy does not use its pictures",
        "Black pictures give the same actions: it follows the state (or the clock) alone. Check the camera keys and "
        "whether the vision part was loaded and trained.",
    ),
    "policy.claims_noise": Known(
        "warning",
        "the policy says it is stochastic and answers the same",
        "Two draws were equal: K samples say nothing about its confidence. Check its noise or temperature.",
    ),
    "policy.unsteady": Known(
        "warning",
        "the policy calls itself deterministic and answers twice differently",
        "It draws noise of its own or remembers what it was asked: predictions of it cannot be repeated. Let it draw "
        "from the generator it is given (a function: a parameter rng), or forget on reset.",
    ),
    "policy.deterministic": Known(
        "note",
        "the policy is deterministic",
        "K samples of it are one answer K times; --sigma perturbs it, and then disagreement follows σ by construction.",
    ),
    "policy.slow": Known(
        "warning",
        "the policy is slower than the robot executes its chunks",
        "Execute more of each chunk, ask ahead of time, or use faster hardware: as it is, the robot would wait. (Time "
        "was taken on this machine.)",
    ),
    "policy.ok": Known("ok", "the policy fits the dataset", "Nothing to do."),
}
