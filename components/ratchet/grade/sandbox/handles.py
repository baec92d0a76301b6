"""What stands, in a tester, for an object that stays in the child: it can be handed back, and nothing else."""

from typing import Any, NoReturn, Protocol


class Opaque(BaseException):
    """The tests looked into an object of the program's own. No Exception, so that tests can't take it for theirs."""


class Session(Protocol):
    """What a handle needs of its session."""

    def ask(self, verb: str, *parts: Any) -> Any:
        """The child's answer."""

    def doom(self, reason: str) -> None:
        """Notes that the attempt has failed, whatever the tests make of it."""


class Handle:
    """An object of the child. Its attributes are handles again, never values; it has no truth, no size, no equal."""

    __slots__ = ("_session", "_tag")

    def __init__(self, session: Session, tag: list[Any]):
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_tag", tag)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._session.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._session.ask("set", self, name, value)


class Named(Handle):
    """A name of the program's, which the tests call."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The value that the call gives in the child, or the built-in exception that it raises there."""
        return self._session.ask("call", self, list(arguments), named)


def _refuse(self: Handle, *_: Any) -> NoReturn:
    reason = "the program returned an object of its own, which can't be compared"
    self._session.doom(reason)
    raise Opaque(reason)


_BINARY = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or"
_OTHER = (
    "eq ne lt le gt ge hash bool len iter next reversed contains getitem setitem delitem str repr bytes format "
    "int float complex index round trunc floor ceil neg pos abs invert length_hint enter exit instancecheck fspath"
)
for _name in [*_OTHER.split(), *_BINARY.split(), *(f"r{name}" for name in _BINARY.split())]:
    setattr(Handle, f"__{_name}__", _refuse)
