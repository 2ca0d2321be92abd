"""The closed list of nodes that an expression of the configuration may have. Pure."""

import ast

ALLOWED = "comparisons, and, or, not, in, + - * / // %, numbers, texts in quotes, and names"
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
_DIVIDING = frozenset({"percent", "ratio"})
"""Functions that divide their first value by the second."""

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_LONGEST_TEXT = 200


def refused(node: ast.AST, functions: frozenset[str]) -> str:
    """Return what is wrong with a node itself, "" where nothing is."""
    match node:
        case ast.Name(id=name):
            return f"__ in the name {name}" if "__" in name else ""
        case ast.Constant(value=value):
            return _refused_literal(value)
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd()) | ast.Compare():
            return ""
        case ast.BinOp(op=op):
            return "" if isinstance(op, _ARITHMETIC) else f"the operator {_called(op)}"
        case ast.List() | ast.Tuple() | ast.Set():
            return "" if node.elts else "an empty list"
        case ast.Call(func=ast.Name(id=name), args=[_, _], keywords=[]) if name in functions:
            return ""
        case ast.Call() if functions:
            return f"a call other than {' or '.join(f'{name}(a, b)' for name in sorted(functions))}"
    return _called(node)


def _refused_literal(value: object) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return "" if _LOWEST <= value <= _HIGHEST else "an integer past 64 bits"
    if isinstance(value, float):
        return "" if abs(value) != float("inf") else "a number past what a float holds"
    if isinstance(value, str):
        return "" if len(value) <= _LONGEST_TEXT else f"a text of more than {_LONGEST_TEXT} characters"
    return f"a literal of type {type(value).__name__}"


def divisor_of(node: ast.AST) -> ast.expr | None:
    """Return what a node divides by, None if it does not divide."""
    match node:
        case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod(), right=divisor):
            return divisor
        case ast.Call(func=ast.Name(id=name), args=[_, divisor]) if name in _DIVIDING:
            return divisor
    return None


def is_zero(node: ast.expr) -> bool:
    """Return whether a node is a literal 0, with or without a sign."""
    literal = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(literal, ast.Constant) and literal.value in (0, False)


_NAMES = {
    "Call": "a call",
    "Attribute": "a dot",
    "Subscript": "an index",
    "IfExp": "if and else",
    "Lambda": "a lambda",
    "JoinedStr": "an f-string",
    "NamedExpr": ":=",
    "Dict": "a mapping",
    "Pow": "**",
    "Invert": "~",
}


def _called(node: ast.AST) -> str:
    name = type(node.op).__name__ if isinstance(node, ast.UnaryOp) else type(node).__name__
    return _NAMES.get(name, name)
