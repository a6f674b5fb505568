"""The command line: parse, call a few library functions, print; third parties load inside the commands."""

import signal
import sys
from types import FrameType

EXIT_FINDINGS, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


class Interrupted(BaseException):
    """Ctrl-C, under a name that the command line library does not swallow."""


def main() -> None:
    """Run the command in sys.argv; one line on stderr for anything that is the input's fault."""
    from surehand.cli.app import app
    from surehand.cli.spelling import rewrite
    from surehand.exceptions import SurehandError

    signal.signal(signal.SIGINT, _interrupt)
    try:
        app(args=rewrite(sys.argv[1:]), prog_name="surehand")
    except SurehandError as error:
        _stop(str(error), EXIT_BAD_INPUT)
    except Interrupted:
        _stop("interrupted; nothing was left half-written", EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away (| head); Python would complain at exit
        sys.exit(EXIT_FINDINGS)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted


def _stop(message: str, code: int) -> None:
    print(f"surehand: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
