"""`surehand serve`: a policy behind openpi's websocket protocol."""

from typing import Annotated

import typer

from surehand.cli import options


def serve(
    policy: Annotated[
        str, typer.Argument(help="Checkpoint folder, ONNX file, module:function or server.", metavar="POLICY")
    ],
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets the whole network in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")] = 8000,
    api_key: Annotated[
        str, typer.Option(envvar="SUREHAND_API_KEY", help="Key that clients must send.", show_default=False)
    ] = "",
    maps: Annotated[
        list[str],
        typer.Option("--map", help="Rename what arrives, OURS=THEIRS, e.g. observation.state=state; repeat."),
    ] = [],  # noqa: B006  (typer reads it as the default)
    vlm: options.Vlm = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise that a stochastic policy draws anew.")] = 0,
) -> None:
    """Serve a policy over openpi's websocket protocol, to openpi's own clients or to surehand elsewhere.

    It only serves: nothing is checked or held back before the robot moves. Ends with Ctrl-C.
    """
    import signal
    import sys

    from surehand.cli import Interrupted
    from surehand.opening import open_policy
    from surehand.policies.mapping import Mapping
    from surehand.policies.openpi.server import OpenpiServer
    from surehand.predictions.opening import Access

    def say(text: str) -> None:
        print(f"surehand serve: {text}", file=sys.stderr, flush=True)

    mapping = Mapping.parse(maps, flat=True)
    opened = open_policy(policy, Access(vlm=str(vlm) if vlm else ""))
    server = OpenpiServer(opened, host, port, api_key, mapping=mapping, seed=seed, say=say)
    server.start()
    say(f"{server.name} at {server.url}; it only serves, nothing guards the robot. Ctrl-C ends it.")
    if not api_key and host not in ("127.0.0.1", "::1", "localhost"):
        say("anyone who reaches this address can ask it; --api-key asks for a key")
    try:
        server.wait()
    except Interrupted:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # stopping takes longer than the patience of a second signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server.stop()
        say("stopped")
