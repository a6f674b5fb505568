"""LeRobot's spellings of our options: --dataset.root=DIR, --output_dir=DIR, underscores for hyphens."""

# LeRobot's flag → ours; None: the value is the command's positional argument.
ALIASES: dict[str, str | None] = {
    "--dataset.root": None,
    "--dataset.repo_id": "--repo-id",
    "--dataset.episodes": "--episodes",
    "--dataset.eval_split": "--split",
    "--policy.path": "--policy",
    "--output_dir": "--out",
    "--robot.type": "--robot",
}


def rewrite(arguments: list[str]) -> list[str]:
    """The same command line in our own spelling.

    >>> rewrite(["errors", "--dataset.root=data/pick", "--dataset.eval_split", "0.1", "--output_dir=out"])
    ['errors', 'data/pick', '--split', '0.1', '--out', 'out']
    """
    result: list[str] = []
    waiting_for_positional = False
    for i, argument in enumerate(arguments):
        if argument == "--":
            return result + arguments[i:]
        if waiting_for_positional or not argument.startswith("--"):
            result.append(argument)
            waiting_for_positional = False
            continue
        flag, equals, value = argument.partition("=")
        ours = ALIASES.get(flag, flag.replace("_", "-"))
        if ours is None:
            waiting_for_positional = not equals
            result.extend([value] if equals else [])
        else:
            result.extend([ours, value] if equals else [ours])
    return result
