"""Where a policy server is, how long it may take, its key: what cannot be is refused before a connection is tried."""

from urllib.parse import SplitResult, urlsplit

from surehand.exceptions import FormatError, SurehandError

LONGEST = 1e6  # seconds, eleven days; sockets count in milliseconds of 31 bits


def server_address(url: str, schemes: tuple[str, ...], form: str) -> SplitResult:
    """The parts of a server's address; FormatError, naming the `form` expected, for what is none."""
    why = ""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host.encode("idna")  # as the resolver will, where it raises what is no OSError
        rest = f"{parts.path}{parts.query}{parts.username or ''}{parts.password or ''}"
        sendable = host.isprintable() and " " not in host and rest.isascii() and rest.isprintable() and " " not in rest
        if parts.scheme in schemes and host and parts.port != 0 and not parts.fragment and sendable:
            return parts
    except ValueError as error:  # a port that is no number, a name that no resolver takes
        why = f"{error}; "
    raise FormatError(f"{url}: {why}expected {form}")


def check_timeout(timeout: float) -> None:
    """Nothing; SurehandError for seconds that cannot be waited."""
    if not 0 < timeout <= LONGEST:
        raise SurehandError(f"a timeout of {timeout} s; expected a number above 0, up to {LONGEST:.0f}")


def check_key(key: str) -> None:
    """Nothing; SurehandError for an api key that no HTTP header can carry."""
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        raise SurehandError(
            "the api key has letters that HTTP cannot send; expected printable ASCII without blanks around"
        )
