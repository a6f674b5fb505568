"""GR00T's policy server as a policy: one ZeroMQ request per batch of observations, groups of joints back.

The server's interface: NVIDIA/Isaac-GR00T, gr00t/eval/service.py (N1.5), gr00t/policy/server_client.py (N1.6, N1.7).
Its actions are in physical units. Three forms of the same observation are spoken, see `forms`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from surehand.exceptions import SurehandError
from surehand.frames import Samples, Space
from surehand.policies.chunks import Learning
from surehand.policies.gr00t.forms import FLAT, Wanted, columns_of
from surehand.policies.gr00t.link import Gr00tSocket, Refused
from surehand.policies.mapping import Mapping
from surehand.policies.protocol import Answer, Observation, PolicySpec

MOST_ROWS = 32  # observations in one request: a server runs them as one batch on its GPU


class Gr00tPolicy(Learning):
    """What the server at tcp://HOST:PORT (5555 where none is named) answers, its groups side by side as columns.

    The mapping names video.*, state.* and, unless it is the task, the instruction, e.g.
    `video.ego_view=observation.images.head`, `state.arm=observation.state[0:7]`. `groups` is the order of the columns;
    without it the server's own. The server draws its own noise: no seed reaches it.
    """

    def __init__(
        self,
        url: str,
        mapping: Mapping,
        *,
        timeout: float = 60.0,
        api_token: str = "",
        resize: int = 0,
        space: Space | None = None,
        groups: Sequence[str] = (),
    ) -> None:
        """SurehandError, in one line, where no server answers or it wants what the mapping does not name."""
        self.who = self.name = url
        self._mapping, self._resize, self._groups = replace(mapping, flat=True), resize, tuple(groups)
        self._socket = Gr00tSocket(url, timeout, api_token)
        try:
            self._socket.call("ping")
            self._wanted = Wanted.parse(self._configuration())
            self._wanted.check_named([clause.name for clause in mapping.clauses], url)
        except BaseException:
            self.close()
            raise
        self._forms = self._wanted.forms
        self.spec = PolicySpec(
            len(self._wanted.steps), 0, space or Space(),
            first_step=self._wanted.steps[0] if self._wanted.steps else 0,
            stochastic=True,
            generator="noise",
            cameras=mapping.cameras,
            seeded=False,
            inputs=mapping.inputs,
            history=self._wanted.history,
        )  # fmt: skip

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D)} for one observation: one draw of the server's noise."""
        return self.infer_batch([observation])[0]

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        """One answer per observation, from as few requests as the server's form of observations allows."""
        answers: list[Answer] = []
        while len(answers) < len(observations):
            rows = observations[len(answers) : len(answers) + (MOST_ROWS if self._forms[0].batched else 1)]
            answers += [{"actions": self.checked(chunk)} for chunk in self._chunks(rows)]
        return answers

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """K chunks (K, H, D): K draws of the server's own noise, whatever `rng` is."""
        return self.sample_batch([observation], k, [rng])[0]

    def sample_batch(
        self, observations: Sequence[Observation], k: int, rngs: Sequence[np.random.Generator]
    ) -> list[Samples]:
        """K draws (K, H, D) of the server's own noise for each observation."""
        answers = self.infer_batch([observation for observation in observations for _ in range(k)])
        chunks = [answer["actions"] for answer in answers]
        return [Samples(np.stack(chunks[i : i + k]), "noise") for i in range(0, len(chunks), k)]

    def reset(self) -> None:
        """Tell the server that an episode begins, where it wants to know (N1.6 and later)."""
        if self._forms[0] is FLAT:
            return
        try:
            self._socket.call("reset", {"options": None})
        except Refused as error:
            if "endpoint" not in error.said:  # servers without the endpoint say that they do not know it
                raise

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _configuration(self) -> Any:
        """What the server says it wants; None where it has no such endpoint."""
        try:
            return self._socket.call("get_modality_config")
        except Refused as error:
            if "endpoint" not in error.said:
                raise
            return None

    def _chunks(self, rows: list[Observation]) -> list[np.ndarray]:
        """(H, D) of each row. Before the first answer the forms that this server may speak are tried in turn."""
        observed = [self._wanted.stacked(row, lambda o: self._mapping.apply(o, self._resize)) for row in rows]
        refused: dict[str, str] = {}
        for form in self._forms:
            sent = observed if form.batched else observed[:1]
            try:
                found = self._socket.call("get_action", form.request(sent))
            except Refused as error:
                refused.setdefault(error.said, str(form))
                continue
            self._forms = (form,)
            return list(columns_of(found, len(sent), self._groups, self._wanted, self.who))
        said = "; ".join(f"{said!r} to {form}" if len(refused) > 1 else repr(said) for said, form in refused.items())
        raise SurehandError(f"{self.who} refused the observation: {said}; its log says why")
