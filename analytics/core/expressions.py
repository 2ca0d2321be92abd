"""The expressions of bolts in the configuration: comparisons, ``and or not``, ``in``, arithmetic, literals and names.

Python's parser reads them. Only the kinds of nodes that are named here are taken, and each name becomes the reading of a field,
so a compiled expression reaches nothing but the row that it is given. Pure.

    text ──▶ parse: tree, closed list of nodes, bounded ──▶ typed: kinds of operands fit ──▶ compiled: a function of a row

An expression means what it means in Python, with one addition: where Python would raise an error, because a value is missing or a
divisor is 0, the expression has no value: None.
"""

import ast
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import CodeType, FunctionType
from typing import Any, Literal

from analytics.core.expression_nodes import ALLOWED, divisor_of, is_zero, refused
from analytics.core.measures import Getter

ValueKind = Literal["text", "int", "number", "flag"]
"""What a value is: ``flag`` is true or false, ``number`` may have a fraction."""

LONGEST = 500
"""Characters of an expression."""

DEEPEST = 20
MOST_NODES = 200
"""Nodes of a tree. There is no exponent, so these bound what a value costs: a product of integers of 64 bits stays short."""

_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_EQUALITY = (ast.Eq, ast.NotEq)
_IDENTITY = (ast.Is, ast.IsNot)
_NO_VALUE = (TypeError, ArithmeticError, LookupError)
_ROW = "row"


class ExpressionError(Exception):
    """A text is no expression that is known here. ``column`` counts its characters from 1."""

    def __init__(self, column: int, message: str) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True)
class Parsed:
    """An expression whose nodes are known, before anything is known of its names.

    Attributes:
        text: as it was written.
        tree: its root.
        functions: names that are called.
        dotted: whether names have two parts, with a dot between.
        offset: characters of ``text`` before the tree's first column.
    """

    text: str
    tree: ast.expr
    functions: frozenset[str]
    offset: int
    dotted: bool = False

    @property
    def is_name(self) -> bool:
        return isinstance(self.tree, ast.Name)

    @cached_property
    def names(self) -> list[str]:
        """The names of fields, in the order in which they come."""
        kind = ast.Attribute if self.dotted else ast.Name
        found = [node for node in ast.walk(self.tree) if isinstance(node, kind)]
        ordered = sorted(found, key=lambda node: node.col_offset)
        return [name for name in dict.fromkeys(map(ast.unparse, ordered)) if name not in self.functions]

    @cached_property
    def implied(self) -> dict[str, ValueKind]:
        """What names have to be by where they stand: an ``int`` in arithmetic or beside a number, a ``flag`` in a condition."""
        found: dict[str, ValueKind] = {}

        def imply(nodes: list[ast.expr], kind: ValueKind) -> None:
            found.update({node.id: kind for node in nodes if isinstance(node, ast.Name)})

        for node in ast.walk(self.tree):
            if isinstance(node, ast.BinOp):
                imply([node.left, node.right], "int")
            elif isinstance(node, ast.BoolOp):
                imply(node.values, "flag")
            elif isinstance(node, ast.UnaryOp):
                imply([node.operand], "flag" if isinstance(node.op, ast.Not) else "int")
            elif isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                kinds = {_plain_kind(one) for side in sides for one in _members(side)}
                if kinds & {"int", "flag"}:
                    imply(sides, "int" if "int" in kinds else "flag")
        return found

    def kind(self, kinds: Mapping[str, ValueKind]) -> ValueKind:
        """Return what the expression's value is, given what its names are.

        Raise ExpressionError if a name is unknown, or operands don't fit.
        """
        return _Typing(self, kinds).kind(self.tree)

    def may_lack_value(self, optional: Collection[str]) -> bool:
        """Return whether the value may be missing: a field of ``optional`` is, or a divisor is 0."""
        divides = any(
            isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod)
            for node in ast.walk(self.tree)
        )
        return divides or not set(optional).isdisjoint(self.names)


def value_of(parsed: Parsed, path: str, default: int | None = None, as_text: bool = False) -> Getter:
    """Return a function of a row: the expression's value, ``default`` where it has none.

    Call :meth:`Parsed.kind` first: it refuses what would fail for every row.

    Args:
        path: an attribute path that leads from the row to the fields, with its last dot; "" for those of the row itself.
        as_text: whether the value is shown as a text, as ids are.
    """
    body = _Reading(path).read(parsed)
    if default is not None:
        body = ast.BoolOp(ast.Or(), [body, ast.Constant(default)])
    if as_text:
        body = ast.Call(ast.Name("str", ast.Load()), [body], [])
    return _function(body, parsed.text, default, {"str": str})


def condition_of(where: Parsed | None, present: Parsed | None, path: str) -> Getter | None:
    """Return a function of a row: whether ``where`` holds and ``present`` has a value; None where nothing is asked.

    A condition without a value does not hold.
    """
    parts = [] if where is None else [_Reading(path).read(where)]
    if present is not None:
        parts.append(ast.Compare(_Reading(path).read(present), [ast.IsNot()], [ast.Constant(None)]))
    if not parts:
        return None
    return _function(parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts), "condition", None, {})


def derived_of(parsed: Parsed, functions: Mapping[str, Callable[..., Any]]) -> Getter:
    """Return a function of a mapping of names to values: the expression's value, None where it has none."""
    return _function(_Reading(None, functions).read(parsed), parsed.text, None, functions)


def parse(text: str, functions: frozenset[str] = frozenset(), dotted: bool = False) -> Parsed:
    """Return an expression.

    Args:
        functions: names that may be called, each with two values.
        dotted: whether every other name has two parts, with a dot between.

    Raises:
        ExpressionError: it is none, or too long.
    """
    if len(text) > LONGEST:
        raise ExpressionError(LONGEST + 1, f"expected at most {LONGEST} characters, got {len(text)}")
    stripped = text.strip()
    offset = len(text) - len(text.lstrip())
    try:
        tree = ast.parse(stripped, mode="eval").body
    except SyntaxError as error:
        column = offset + max(error.offset or 1, 1)
        raise ExpressionError(column, f"expected an expression, got something else ({error.msg})") from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(1, f"expected an expression, got something else ({error})") from error
    if "\n" in stripped:
        raise ExpressionError(stripped.index("\n") + offset + 1, "expected one line, got several")
    parsed = Parsed(text, tree, functions, offset, dotted)
    _check(parsed)
    return parsed


def _check(parsed: Parsed) -> None:
    """Raise ExpressionError for a node that is not known, and for too many of them."""
    waiting: list[tuple[ast.AST, int]] = [(parsed.tree, 1)]
    seen = 0
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        if depth > DEEPEST or seen > MOST_NODES:
            raise _error(parsed, node, f"expected at most {MOST_NODES} parts, {DEEPEST} deep, got more")
        if parsed.dotted and isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            continue
        if parsed.dotted and isinstance(node, ast.Name) and node.id not in parsed.functions:
            raise _error(parsed, node, f"expected a name with a dot, got {node.id}")
        if reason := refused(node, parsed.functions):
            raise _error(parsed, node, f"expected {ALLOWED}, got {reason}")
        if (divisor := divisor_of(node)) is not None and is_zero(divisor):
            raise _error(parsed, divisor, "expected a divisor other than 0, got 0")
        waiting += [(child, depth + 1) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]


def _members(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else [node]


def _plain_kind(node: ast.expr) -> ValueKind | None:
    """Return what a node is whatever names mean; None where that is open."""
    if isinstance(node, ast.Constant) and node.value is not None:
        if isinstance(node.value, bool):
            return "flag"
        return "text" if isinstance(node.value, str) else "int"
    if isinstance(node, ast.BinOp) or (isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not)):
        return "int"
    return None


def _error(parsed: Parsed, node: ast.AST, message: str) -> ExpressionError:
    """Return the error of a node: Python counts its column in bytes."""
    before = parsed.text.strip().encode()[: getattr(node, "col_offset", 0)].decode(errors="replace")
    return ExpressionError(parsed.offset + len(before) + 1, message)


class _Typing:
    """Works out the kinds of an expression's parts."""

    def __init__(self, parsed: Parsed, kinds: Mapping[str, ValueKind]) -> None:
        self._parsed = parsed
        self._kinds = kinds

    def kind(self, node: ast.expr) -> ValueKind:
        """Return the kind of a part. Raise ExpressionError where operands don't fit."""
        match node:
            case ast.Name() | ast.Attribute():
                name = ast.unparse(node)
                if name not in self._kinds:
                    raise self._error(
                        node, f"expected one of {', '.join(self._kinds) or 'no names'}, got {name}"
                    )
                return self._kinds[name]
            case ast.Constant(value=None):
                raise self._error(node, "expected None only after `is` or `is not`, got it elsewhere")
            case ast.Constant(value=value):
                return "number" if isinstance(value, float) else _plain_kind(node) or "text"
            case ast.BoolOp(values=values):
                for one in values:
                    self._want(one, "a condition", "flag")
                return "flag"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self._want(operand, "a condition", "flag")
                return "flag"
            case ast.UnaryOp(operand=operand):
                return self._want(operand, "a number", "int", "number")
            case ast.BinOp(left=left, op=op, right=right):
                kinds = {self._want(one, "a number", "int", "number") for one in (left, right)}
                return "int" if kinds == {"int"} and not isinstance(op, ast.Div) else "number"
            case ast.Compare():
                self._compare(node)
                return "flag"
            case ast.Call(args=arguments):
                for one in arguments:
                    self._want(one, "a number", "int", "number")
                return "number"
        raise self._error(node, "expected a list only after `in` or `not in`, got one elsewhere")

    def _compare(self, node: ast.Compare) -> None:
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, _IDENTITY):
                if not (isinstance(right, ast.Constant) and right.value is None):
                    raise self._error(right, "expected None after `is`, got something else; compare with ==")
                self.kind(left)
            elif not isinstance(op, (*_ORDER, *_EQUALITY)):
                self._member(left, right)
            else:
                kind = self._alike(left, right)
                if kind == "flag" and not isinstance(op, _EQUALITY):
                    raise self._error(left, "expected numbers or texts beside <, got a condition")
            left = right

    def _member(self, left: ast.expr, right: ast.expr) -> None:
        if not isinstance(right, ast.List | ast.Tuple | ast.Set):
            self._want(left, "a text", "text")
            self._want(right, "a list like ['a', 'b'], or a text", "text")
            return
        for one in right.elts:
            literal = one.operand if isinstance(one, ast.UnaryOp) else one
            if not isinstance(literal, ast.Constant):
                raise self._error(one, "expected literals in a list, got something else")
            self._alike(left, one)

    def _alike(self, left: ast.expr, right: ast.expr) -> ValueKind:
        one, other = self.kind(left), self.kind(right)
        if one != other and not {one, other} <= {"int", "number"}:
            raise self._error(right, f"expected {_a(one)} to compare with {_a(one)}, got {_a(other)}")
        return one

    def _want(self, node: ast.expr, wanted: str, *kinds: ValueKind) -> ValueKind:
        found = self.kind(node)
        if found not in kinds:
            raise self._error(node, f"expected {wanted}, got {_a(found)}")
        return found

    def _error(self, node: ast.AST, message: str) -> ExpressionError:
        return _error(self._parsed, node, message)


def _a(kind: ValueKind) -> str:
    return {"text": "a text", "int": "an integer", "number": "a number", "flag": "a condition"}[kind]


class _Reading(ast.NodeTransformer):
    """Turns names into readings of a row's fields. ``path`` None: a row maps names to values."""

    def __init__(self, path: str | None, functions: Collection[str] = ()) -> None:
        self._path = path
        self._functions = functions

    def read(self, parsed: Parsed) -> ast.expr:
        """Return a tree of its own."""
        tree: ast.expr = self.visit(ast.parse(parsed.text.strip(), mode="eval").body)
        return tree

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return ast.Subscript(ast.Name(_ROW, ast.Load()), ast.Constant(ast.unparse(node)), ast.Load())

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._functions:
            return node
        row: ast.expr = ast.Name(_ROW, ast.Load())
        if self._path is None:
            return ast.Subscript(row, ast.Constant(node.id), ast.Load())
        for name in [*self._path.split(".")[:-1], node.id]:
            row = ast.Attribute(row, name, ast.Load())
        return row


def _function(
    body: ast.expr, name: str, default: int | None, known: Mapping[str, Callable[..., Any]]
) -> Getter:
    """Return ``def (row): return body``, which returns ``default`` where that raises what a missing value or a divisor of 0 does."""
    otherwise = ast.ExceptHandler(
        ast.Name("_NO_VALUE", ast.Load()), None, [ast.Return(ast.Constant(default))]
    )
    arguments = ast.arguments([], [ast.arg(_ROW)], None, [], [], None, [])
    attempt = ast.Try([ast.Return(body)], [otherwise], [], [])
    definition = ast.FunctionDef("expression", arguments, [attempt], [], None, None)
    module = compile(ast.fix_missing_locations(ast.Module([definition], [])), f"<{name}>", "exec")
    code = next(one for one in module.co_consts if isinstance(one, CodeType))
    return FunctionType(code, {"__builtins__": {}, "_NO_VALUE": _NO_VALUE, **known})
