"""One run over what is missing in a folder: handed out to workers, taken back piece by piece, failures counted."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.predictions.fingerprint import fingerprint
from surehand.predictions.parts import Folder
from surehand.predictions.plan import Address
from surehand.predictions.shard import Done, Piece, Setup, Worker, begin_work, do_piece
from surehand.workers import Failure, finished_jobs

LONGEST = 1000  # letters of a reason
Progress = Callable[[str, float], None]  # what is being done, share done


@dataclass(eq=False)
class Work:
    """One run: what is missing in the folder, handed out and taken back."""

    setup: Setup
    folder: Folder
    addresses: list[Address]
    groups: list[tuple[int, ...]]
    progress: Progress
    missing: dict[Address, set[int]] = field(default_factory=dict)
    failed: set[Address] = field(default_factory=set)
    sizes: list[int] = field(default_factory=list)  # frames of each piece
    done: int = 0  # frames of this run
    share: float = 0.0
    frames: int = 0  # frames to predict in this run
    began: float = field(default_factory=time.perf_counter)

    def run(self, processes: int, ray: str, gpus: float) -> None:
        """Nothing; everything that is missing has been predicted, or its policy has failed."""
        self.missing = {address: set(self.folder.missing(address)) for address in self.addresses}
        lengths = dict(zip(self.setup.dataset.episodes.tolist(), self.setup.dataset.lengths.tolist(), strict=True))
        stride = self.setup.plan.stride
        self.sizes = [sum(-(-lengths[e] // stride) for e in group) for group in self.groups]
        jobs = self._pieces(max(processes, 1))
        self.frames = sum(self.sizes[job.number] for job in jobs)
        for address in self.addresses:
            self._finish(address)
            if "://" in address.where and len(self.missing[address]) < len(self.groups):
                self.folder.record.warnings.append(
                    f"{address.name}: answers of an earlier run are kept, whatever it serves now; --again asks it anew"
                )
        if not jobs:
            return
        alone = processes == 1 and not ray
        begin = partial(Worker, self.setup, self._step) if alone else partial(begin_work, self.setup)
        finished = finished_jobs(
            begin, do_piece, jobs,
            groups=[job.address.name for job in jobs],
            wanted=lambda job: job.address not in self.failed,
            processes=processes, ray=ray, gpus=gpus,
        )  # fmt: skip
        with closing(finished):
            for index, result in finished:
                self._take(jobs[index], result)
                if not alone and isinstance(result, Done):
                    self._step(jobs[index].address.name, self.sizes[jobs[index].number])

    def _pieces(self, processes: int) -> list[Piece]:
        """All that is missing, policy by policy."""
        left = [(address, sorted(numbers)) for address, numbers in self.missing.items() if numbers]
        apart = max(1, processes // max(len(left), 1))  # the workers that share a policy take turns
        found = []
        for address, numbers in left:
            for i, number in enumerate(numbers):
                after = numbers[i + apart] if i + apart < len(numbers) else None
                following = self.groups[after] if after is not None else ()
                found.append(Piece(address, number, self.groups[number], following))
        return found

    def _take(self, piece: Piece, result: Done | Failure) -> None:
        """Nothing; the piece is kept, or its policy has failed."""
        address = piece.address
        if isinstance(result, Failure):
            self._fail(address, result.error)
            return
        with _disk():
            try:
                self.folder.keep(address, piece.number, result.predictions, result.seconds)
            except ShapeError as error:
                self._fail(address, error)
                return
        said = self.folder.record.warnings
        said.extend(text for text in result.warnings if text not in said)
        self.missing[address].discard(piece.number)
        self._finish(address)

    def _finish(self, address: Address) -> None:
        """Nothing; the policy's file is whole where all of its pieces are there."""
        known = self.folder.record.of(address.name)
        if known is None or known.state == "done" or address in self.failed or self.missing[address]:
            return
        if known.fingerprint != fingerprint(address.where):
            self.folder.drop(address)
            error = SurehandError("its files changed while it was predicted; the same command starts it anew")
            self._fail(address, error)
            return
        with _disk():
            self.folder.finish(address)

    def _fail(self, address: Address, error: Exception) -> None:
        if address in self.failed:
            return
        self.failed.add(address)
        self.folder.note(address, state="failed", reason=one_line(error).replace(address.where, address.shown))
        self.frames -= sum(self.sizes[number] for number in self.missing[address])  # nobody waits for those

    def _step(self, name: str, frames: int) -> None:
        """Nothing; the progress says so many more frames are done."""
        self.done += frames
        speed = self.done / max(time.perf_counter() - self.began, 1e-9)
        self.share = max(self.share, min(self.done / max(self.frames, 1), 1.0))  # never backwards
        self.progress(f"{name}, {speed:.1f} frames/s", self.share)


def one_line(error: Exception) -> str:
    """What went wrong, for a person, whoever raised it."""
    if isinstance(error, SurehandError):
        return _cut(str(error))
    said = str(error).strip().splitlines() or [""]
    hint = "; try a smaller --batch" if "out of memory" in said[0].lower() or isinstance(error, MemoryError) else ""
    return f"{type(error).__name__}: {_cut(said[0])}{hint}".rstrip(": ")


def _cut(text: str) -> str:
    """The text on one line that still can be read."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


@contextmanager
def _disk() -> Iterator[None]:
    """A refusal of the disk also says that what was done is kept."""
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{error}; what was done is kept, the same command goes on from there") from None
