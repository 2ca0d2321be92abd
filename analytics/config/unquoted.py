"""Words in the conditions of declared bolts that may be texts without their quotes: ``result == win``."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from analytics.config.bolt_drafts import BoltDraft, draft_of
from analytics.config.catalogue import catalogue
from analytics.config.sections import Config
from analytics.core.declared import known_fields

_ALIKE = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)


def unquoted(config: Config) -> Iterator[str]:
    """Yield a sentence for each name that a bolt only compares with another field, and that nothing says is a field.

    Such a bolt may be right: a record may have both fields. Then ``fields`` says so.
    """
    bolts = catalogue(config)
    known = known_fields(bolt for name, bolt in bolts.items() if name not in config.bolts)
    for name, section in config.bolts.items():
        draft = draft_of(name, section, bolts)
        for word in _suspects(draft):
            if word not in section.fields and not any((topic, word) in known for topic in draft.reads):
                yield (
                    f"bolts.{name} reads a field {word}, and only compares it with another one, so records without it are "
                    f"rejected. If it is a text, put it in quotes: '{word}'; if it is a field, say so: fields = {{ {word} = \"text\" }}"
                )


def _suspects(draft: BoltDraft) -> list[str]:
    expressions = [
        one for said in draft.measures.values() for one in (said.of, said.where) if one is not None
    ]
    trees = [one.tree for one in expressions]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    uses = Counter(node.id for node in nodes if isinstance(node, ast.Name))
    compared = Counter(_right_names(node for node in nodes if isinstance(node, ast.Compare)))
    return [word for word in compared if compared[word] == uses[word] and word not in draft.section.by]


def _right_names(comparisons: Iterable[ast.Compare]) -> Iterator[str]:
    """Yield each name on the right of a comparison that asks whether two names are alike."""
    for one in comparisons:
        sides = [one.left, *one.comparators]
        for left, op, right in zip(sides, one.ops, one.comparators, strict=False):
            if isinstance(op, _ALIKE) and isinstance(left, ast.Name) and isinstance(right, ast.Name):
                yield right.id
