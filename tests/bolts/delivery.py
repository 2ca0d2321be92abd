"""Bolts over records as they may really come: in any order and batching, some delivered again, documents stored.

Every document is written as text and read back before it is changed, with lists in many small parts.
"""

import json
from collections import defaultdict
from contextlib import contextmanager

import msgspec
import pytest

from analytics.core import settle as settling
from analytics.core.fold import Folder


def listed(bolt, areas, records, random, name):
    """Return the items of a list of the only document after the records, in whatever parts they lie."""
    with small_parts():
        stored = _settled(bolt, areas, records, random)
    main, *others = sorted(map(json.loads, stored.values()), key=lambda one: "part_of" in one)
    parts = [json.loads(stored[id_]) for id_ in settling.part_ids(main)]
    assert len(parts) == len(others), "no part is left over"
    return [item for one in (*parts, main) for item in one[name]]


@contextmanager
def small_parts():
    """Have lists in parts of two items."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settling, "PART_SIZE", 2)
        patch.setattr(settling, "STEP_SIZE", 3)
        yield


def deliver(bolt, areas, records, random):
    """Return the documents of ``bolt`` after the records, pairs of topic and tuple, without the suite's own fields."""
    with small_parts():
        stored = _settled(bolt, areas, records, random)
    documents = map(json.loads, stored.values())
    return [_public(one) for one in documents if "part_of" not in one]


def _settled(bolt, areas, records, random):
    log = _messages(records, random)
    stored = {}
    done = dict.fromkeys(log, 0)
    while any(done[topic] < len(messages) for topic, messages in log.items()):
        deltas, done = _fold(Folder([bolt], areas), bolt, log, done, random)
        for key, some in deltas.items():
            settled = settling.settle(_load(bolt, key, stored), some, settling.Position("log", done), areas)
            for step in settled.steps:
                for one in [*step.parts, step.document]:
                    stored[one["_id"]] = json.dumps(one)
                for id_ in step.stale:
                    del stored[id_]
    return stored


def _messages(records, random):
    log = defaultdict(list)
    for topic, one in random.sample(records, len(records)):
        if not log[topic] or random.random() < 0.4:
            log[topic].append([])
        log[topic][-1].append(msgspec.json.encode(one))
    return {topic: [b"\n".join(lines) for lines in messages] for topic, messages in log.items()}


def _fold(folder, bolt, log, done, random):
    """Fold some messages of each topic, perhaps from before those already settled."""
    deltas, to = defaultdict(list), {}
    for topic, messages in log.items():
        first = max(0, done[topic] - random.choice([0, 0, 1, 5]))
        to[topic] = min(len(messages), done[topic] + random.randint(0, 4))
        for number in range(first, to[topic]):
            folded, unusable = folder.fold(topic, number + 1, messages[number])
            assert not unusable
            for key, delta in folded[bolt.name].items():
                deltas[key].append(delta)
    return deltas, to


def _load(bolt, key, stored):
    raw = stored.get(bolt.id_of(key))
    if raw is None:
        return settling.unknown(bolt, key)
    document = json.loads(raw)
    parts = [json.loads(stored[id_]) for id_ in settling.part_ids(document)]
    return settling.known(bolt, key, document, parts)


def _public(document):
    return {name: value for name, value in document.items() if name[0] != "_" and name != "parts"}
