"""The command line: parse, call a few library functions, print; third parties load inside the commands."""

import _thread
import io
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import NoReturn

EXIT_FINDINGS, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or a polite kill; of a kind that compiled code lets through: Ray's waits swallow every other."""


def main() -> None:
    """Run the command in sys.argv; one line on stderr for anything that is the input's fault."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without these letters shows ?, not a traceback
            stream.reconfigure(errors="replace")
    try:
        code = _run(sys.argv[1:])
        if code == EXIT_INTERRUPTED:  # all that the command line library says of it
            raise Interrupted
        print(end="", flush=True)  # a full disk or a closed pipe shows here, while there is someone to handle it
    except (KeyboardInterrupt, SystemError) as error:
        if not _interrupted(error):
            raise
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _stop("interrupted; nothing was left half-written", EXIT_INTERRUPTED)
    except BrokenPipeError:
        _drop_output()  # the reader of our output went away (| head)
        sys.exit(EXIT_FINDINGS)
    except MemoryError as error:
        reason = str(error) or "memory is full"
        _stop(f"not enough memory: {reason}; ask for less at once, or use a larger machine", EXIT_BAD_INPUT)
    except OSError as error:
        _drop_output()
        where = f"{error.filename}: " if error.filename else "cannot write the output: "
        _stop(f"{where}{error.strerror or error}; check the path and the space left", EXIT_BAD_INPUT)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """Exit code of a command line; what it refuses has been printed."""
    from surehand.cli.app import app
    from surehand.cli.spelling import rewrite
    from surehand.exceptions import SurehandError

    try:
        return int(app(args=rewrite(arguments) or ["--help"], prog_name="surehand", standalone_mode=False) or 0)
    except SurehandError as error:
        _stop(str(error), EXIT_BAD_INPUT)
    except Exception as error:
        if _interrupted(error):
            raise Interrupted from error
        if not hasattr(error, "format_message"):  # typer's refusals of a command line share no public name
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "surehand"
        if not error.format_message():  # a group without a command: its help is on the screen
            return EXIT_BAD_INPUT
        _stop(f"{error.format_message().rstrip('.')}; see {command} --help", EXIT_BAD_INPUT)


_asked_again = threading.Event()


def _interrupt(number: int, frame: FrameType | None) -> None:
    ours = _asked_again.is_set()
    _asked_again.clear()
    # pyarrow swallows whatever is raised while it looks for pandas: ask again until main() has heard it.
    again = threading.Timer(0.5, _ask_again)
    again.daemon = True
    again.start()
    if not ours or not _interrupted(sys.exc_info()[1]):  # what cleans up after the first is not cut short by us
        raise Interrupted


def _ask_again() -> None:
    _asked_again.set()
    _thread.interrupt_main()


def _interrupted(error: BaseException | None) -> bool:
    """Whether it goes back to Ctrl-C: compiled code such as Ray's turns whatever a signal raises into a SystemError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _drop_output() -> None:
    """Nothing; Python would try once more at exit to write what is left, and complain."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(message: str, code: int) -> NoReturn:
    print(f"surehand: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
