"""What expressions made of literals say."""

import ast


def text_of(node: ast.expr | None) -> str | None:
    """The text that Python makes of the literals; a part known only at run time reads `{}`."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant(value=bytes(data)):
            return data.decode("latin-1")
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) or "{}" for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = text_of(left), text_of(right)
            return None if first is None or second is None else first + second
    return None


def first_argument(call: ast.Call, name: str) -> ast.expr | None:
    """The first argument of a call, whether given by position or as `name`."""
    named = (keyword.value for keyword in call.keywords if keyword.arg == name)
    return next(iter((*call.args, *named)), None)
