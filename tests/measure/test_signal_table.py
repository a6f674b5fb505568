"""Signals of streamed rounds: each column is the function's own value, each silence has its reason."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surehand.exceptions import SurehandError
from surehand.formats.rounds import open_rounds, write_rounds
from surehand.frames import Round
from surehand.layout import Layout
from surehand.measure.chunk_space import ChunkSpace
from surehand.measure.consistency import stac_mmd, stac_single
from surehand.measure.novelty import Mahalanobis
from surehand.measure.scale import Scale
from surehand.measure.signal_table import SignalTable, signals_of
from surehand.measure.signals import MEANINGS, cluster_entropy, disagreement, distance_to_mean, gripper_entropy

LAYOUT = Layout.parse("arm(a b:continuous[deg]) gripper:gripper[0..1] pad(1)")
SPACE = ChunkSpace(LAYOUT, Scale("std", "", "", np.array([2.0, 30.0, 0.5, 1.0])), LAYOUT.is_pad)


def make(rng: np.random.Generator, episode: int, step: int, k: int = 4) -> Round:
    return Round(
        episode=episode,
        initial_state=str(episode),
        step=step,
        task="pick" if episode % 2 else "place",
        candidates=rng.normal(size=(k, 6, 4)).astype(np.float32),
        score=rng.random(k),
        selected=int(rng.integers(k)),
        verifier="nearest",
        generator="noise",
        knob="sigma",
        value=0.5,
        seed=0,
        executed=True,
        log_p=rng.normal(size=k),
        token_entropy=rng.random(k),
        violation=np.array([0.0, 1.0, np.nan, 0.0][:k]),
        embedding=rng.normal(size=3).astype(np.float32),
    )


def rounds(rng: np.random.Generator, episodes: int = 3) -> list[Round]:
    return [make(rng, e, s) for e in range(episodes) for s in (0, 2, 4)]


def test_every_column_is_its_function(rng: np.random.Generator) -> None:
    logged, model = rounds(rng), Mahalanobis.fit(rng.normal(size=(20, 3)))
    table = signals_of(iter(logged), SPACE, novelty={"context": model}, within=0.7, beta=2.0)
    assert table.episode.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert table.task.tolist() == ["place"] * 3 + ["pick"] * 3 + ["place"] * 3
    assert (table.silent == "").all() and (table.hold == "").all() and (table.knob == 0.5).all()
    last = None
    for row, item in enumerate(logged):
        pick, got = item.selected, {name: values[row] for name, values in table.values.items()}
        spread = disagreement(item.candidates, SPACE)
        assert [got[f"disagreement:{name}"] for name in ("arm", "gripper", "total")] == spread.tolist()
        assert got["distance_to_mean"] == distance_to_mean(item.candidates, SPACE)[pick, -1]
        assert got["gripper_entropy"] == gripper_entropy(item.candidates, LAYOUT)
        assert got["cluster_entropy"] == cluster_entropy(item.candidates, SPACE, 0.7)
        assert got["verifier"] == -item.score[pick]
        assert item.log_p is not None and item.token_entropy is not None and item.violation is not None
        share = np.exp(item.log_p) / np.exp(item.log_p).sum()
        assert got["neg_log_p"] == -item.log_p[pick] and got["confidence"] == pytest.approx(1 - share[pick])
        assert got["token_entropy"] == item.token_entropy[pick] and got["clock"] == item.step
        np.testing.assert_equal(table.violation[row], item.violation[pick])
        assert got["novelty:context"] == pytest.approx(model.risk(item.embedding[None])[0])  # type: ignore[index]
        if item.step == 0:
            assert np.isnan([got["stac_single"], got["stac_mmd"]]).all()
        else:
            assert last is not None
            assert got["stac_mmd"] == stac_mmd(last.candidates, item.candidates, 2, SPACE, beta=2.0)
            single = stac_single(last.candidates[last.selected], item.candidates[pick], 2, SPACE)
            assert got["stac_single"] == single
        last = item


def test_identical_chunks_are_silent_and_say_why(rng: np.random.Generator) -> None:
    logged = rounds(rng, 1)
    same = np.repeat(logged[1].candidates[:1], 4, axis=0)
    logged[1] = replace(logged[1], candidates=same)
    table = signals_of(logged, SPACE)
    spread = ["disagreement:arm", "disagreement:total", "distance_to_mean", "gripper_entropy", "cluster_entropy"]
    for name in (*spread, "confidence", "stac_mmd"):
        assert np.isnan(table.values[name][1]), name
        assert not np.isnan(table.values[name][0]) or name == "stac_mmd"
    assert np.isnan(table.values["stac_mmd"][2])  # the distribution before was none
    assert np.isfinite(table.values["stac_single"][1:]).all() and np.isfinite(table.values["token_entropy"]).all()
    assert table.hold.tolist() == ["", "4 identical chunks from a generator that claims noise (noise)", ""]
    assert (table.silent == table.hold).all()
    assert table.risk("verifier")[1] == np.inf and table.risk("verifier")[0] == table.values["verifier"][0]
    assert np.isinf(table.risk("stac_mmd")).all()  # the first decision of an episode has none either
    with pytest.raises(SurehandError, match="no signal 'entropy'; there are disagreement:arm"):
        table.risk("entropy")


def test_rounds_without_a_pick_or_with_faults(rng: np.random.Generator) -> None:
    none = replace(
        make(rng, 0, 0), candidates=np.zeros((0, 6, 4)), score=np.zeros(0), selected=-1, log_p=None, violation=None
    )
    fault = replace(make(rng, 0, 1), faults=("timeout",), log_p=None, token_entropy=None, embedding=None)
    table = signals_of([none, fault], SPACE, better=False)
    assert table.hold.tolist() == ["no candidates", "fault: timeout"]
    assert table.silent.tolist() == ["no candidates", ""]
    assert np.isnan(table.values["verifier"][0]) and table.values["verifier"][1] == fault.score[fault.selected]
    assert np.isnan(table.values["neg_log_p"]).all() and np.isnan(table.violation[0])


def test_blocks_of_embeddings_and_empty_input(rng: np.random.Generator) -> None:
    model = Mahalanobis.fit(rng.normal(size=(20, 3)))
    logged = [replace(make(rng, e, 0), embedding=None if e % 3 == 0 else rng.normal(size=3)) for e in range(1100)]
    table = signals_of(logged, SPACE, novelty={"m": model})
    found = table.values["novelty:m"]
    assert np.isnan(found[::3]).all()
    expected = model.risk(np.stack([item.embedding for item in logged if item.embedding is not None]))
    np.testing.assert_allclose(found[~np.isnan(found)], expected)
    empty: SignalTable = signals_of([], SPACE)
    assert len(empty.episode) == 0 and all(len(values) == 0 for values in empty.values.values())
    with pytest.raises(SurehandError, match="order"):
        signals_of([make(rng, 1, 0), make(rng, 0, 0)], SPACE)


def test_every_signal_has_a_meaning_and_a_place_in_the_docs(rng: np.random.Generator) -> None:
    model = Mahalanobis.fit(rng.normal(size=(20, 3)))
    table = signals_of(rounds(rng, 1), SPACE, novelty={"m": model})
    named = {name.split(":")[0] for name in table.values}
    assert named | {"task"} == set(MEANINGS)
    page = (Path(__file__).parents[2] / "docs" / "signals.md").read_text()
    for name, meaning in MEANINGS.items():
        assert f"| `{name}` | {meaning.unit} |" in page, name


def test_through_a_file(rng: np.random.Generator, tmp_path: Path) -> None:
    """Rounds that stream from disk give the same table."""
    logged = rounds(rng)
    logged[4] = replace(logged[4], log_p=None, token_entropy=None, violation=None, embedding=None)
    write_rounds(tmp_path / "rounds.parquet", logged)
    model = {"m": Mahalanobis.fit(rng.normal(size=(20, 3)))}
    ours, again = (
        signals_of(source, SPACE, novelty=model) for source in (logged, open_rounds(tmp_path / "rounds.parquet"))
    )
    for name, values in ours.values.items():
        np.testing.assert_array_equal(again.values[name], values, err_msg=name)
    assert (ours.task == again.task).all() and (ours.hold == again.hold).all()


def test_a_deterministic_policy_is_silent_without_being_held(rng: np.random.Generator) -> None:
    table = signals_of([replace(make(rng, 0, 0, k=1), selected=0, generator="deterministic")], SPACE)
    assert table.silent.tolist() == ["one candidate cannot disagree with itself"] and table.hold.tolist() == [""]
    assert np.isnan(table.values["disagreement:total"][0]) and np.isinf(table.risk("disagreement:total")[0])
    assert np.isfinite(table.risk("verifier")[0])


def test_a_risk_without_a_finite_number_is_infinite(rng: np.random.Generator) -> None:
    logged = rounds(rng, 1)
    logged[1] = replace(logged[1], score=np.full(4, np.inf))  # a verifier that overflowed, not one that is sure
    table = signals_of(logged, SPACE)
    assert table.values["verifier"][1] == -np.inf
    assert table.risk("verifier").tolist() == [table.values["verifier"][0], np.inf, table.values["verifier"][2]]
