"""Parser events turned into plain data, in one loop without recursion.

Everything that YAML has and JSON has not is refused here, each at its place; see :mod:`osiris_core.model.yaml`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from osiris_core.diagnostics import Diagnostic
from osiris_core.model.scalars import NotHeldError, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from yaml._yaml import CParser

    from osiris_core.diagnostics import Position

MAX_DEPTH: Final = 64
MAX_FINDINGS: Final = 100
"""After so many, reading stops: the file is not what it is taken for."""

Marks = Any
"""Where a node stands: an offset for a scalar, ``(offset, {key: (offset of the key, marks)})`` for a mapping,
``(offset, [marks])`` for a sequence."""


_KINDS: Final = {bool: "a truth value", int: "a number", float: "a number", type(None): "null"}


class _Frame:
    """A mapping or sequence that is still open."""

    __slots__ = ("children", "is_key", "key", "key_at", "value", "waiting")

    def __init__(self, value: Any, children: Any, *, is_key: bool) -> None:
        self.value = value
        self.children = children  # marks: a dict for a mapping, a list for a sequence
        self.is_key = is_key  # stands where a key should: it was reported, and is read only to be dropped
        self.waiting = False  # a mapping that has a key and waits for its value
        self.key: str | None = None  # None while waiting: the key was refused, its value is dropped
        self.key_at = 0


class Builder:
    """Turns events into data, marks and findings, without recursion."""

    def __init__(self, at: Callable[[int], Position]) -> None:
        self.findings: list[Diagnostic] = []
        self.data: Any = None
        self.marks: Marks = 0
        self._at = at
        self._stack: list[_Frame] = []
        self._found = False

    def read(self, parser: CParser) -> None:
        """Consume the stream, up to the first thing after which nothing can be trusted."""
        event: Any = parser.get_event()
        while (kind := type(event)) is not StreamEndEvent and len(self.findings) < MAX_FINDINGS:
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                if len(self._stack) == MAX_DEPTH:
                    self._refuse("OSR-YAML-005", f"more than {MAX_DEPTH} levels of nesting", event)
                    return
                self._open(event, is_map=kind is MappingStartEvent)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close()
            elif kind is AliasEvent:
                message = f"the alias '*{event.anchor}' is not allowed"
                self._refuse("OSR-YAML-008", message, event, hint="write the value out where it is needed")
                self._put(None, event.start_mark.index)
            elif kind is DocumentStartEvent and not self._start(event):
                return
            event = parser.get_event()
        if not self._found and not self.findings:
            self._refuse("OSR-YAML-011", "the document is empty", event)

    def _start(self, event: Any) -> bool:
        if self._found:
            self._refuse("OSR-YAML-010", "a second document starts here", event)
            return False
        if event.version not in (None, (1, 2)) or event.tags:
            shown = "%TAG" if event.tags else "%YAML {}.{}".format(*event.version)
            self._refuse("OSR-YAML-013", f"the directive {shown} is not supported", event)
        return True

    def _scalar(self, event: Any) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        text = event.value
        at = event.start_mark.index
        plain = event.implicit[0]
        frame = self._stack[-1] if self._stack else None
        if frame is not None and not frame.waiting and type(frame.children) is dict:
            self._take_key(frame, text, at, event, plain=plain)
            return
        if plain:
            if frame is None and text == "":
                return  # an empty document: nothing but comments and markers
            value = self._plain(text, event)
        else:
            value = text
        if "\0" in text:
            self._refuse("OSR-YAML-003", "a text must not contain the NUL character", event)
        self._put(value, at)

    def _take_key(self, frame: _Frame, text: str, at: int, event: Any, *, plain: bool) -> None:
        frame.waiting = True
        frame.key = None
        frame.key_at = at
        if plain and not self._is_text_key(text, event):
            return
        if text in frame.children:
            first = self._at(frame.children[text][0])
            message = f"the key '{text[:80]}' stands here for the second time; the first is at {first}"
            self._refuse("OSR-YAML-006", message, event, hint="remove or rename one of them")
            return
        if "\0" in text:
            self._refuse("OSR-YAML-003", "a key must not contain the NUL character", event)
        frame.key = text

    def _is_text_key(self, text: str, event: Any) -> bool:
        """Whether an unquoted key is text; what is not has been reported."""
        if text == "<<":
            hint = "write the merged keys out; merging is not part of YAML 1.2"
            self._refuse("OSR-YAML-008", "the merge key '<<' is not allowed", event, hint=hint)
            return False
        try:
            value = resolve(text)
        except NotHeldError:
            value = 0
        if type(value) is str:
            return True
        if text == "":
            self._refuse("OSR-YAML-007", "a key is missing before the ':'", event, hint="write the key")
        else:
            shown = text[:40]
            message = f"the key {shown} is {_KINDS[type(value)]}; a key must be text"
            self._refuse("OSR-YAML-007", message, event, hint=f'write it in quotes: "{shown}"')
        return False

    def _open(self, event: Any, *, is_map: bool) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        frame = self._stack[-1] if self._stack else None
        is_key = frame is not None and type(frame.children) is dict and not frame.waiting
        value: Any = {} if is_map else []
        children: Any = {} if is_map else []
        if is_key:
            what = "mapping" if is_map else "list"
            hint = None
            if event.flow_style and is_map:
                hint = "a value that starts with '{' goes into quotes"
            self._refuse("OSR-YAML-007", f"a {what} stands where a key must be text", event, hint=hint)
        else:
            self._put(value, (event.start_mark.index, children))
        self._stack.append(_Frame(value, children, is_key=is_key))

    def _close(self) -> None:
        if self._stack.pop().is_key:
            outer = self._stack[-1]
            outer.waiting = True
            outer.key = None

    def _put(self, value: Any, marks: Marks) -> None:
        if not self._stack:
            self.data = value
            self.marks = marks
            self._found = True
            return
        frame = self._stack[-1]
        if type(frame.children) is list:
            frame.value.append(value)
            frame.children.append(marks)
        elif frame.waiting:
            frame.waiting = False
            if frame.key is not None:
                frame.value[frame.key] = value
                frame.children[frame.key] = (frame.key_at, marks)
        else:  # an alias as a key: reported already
            frame.waiting = True
            frame.key = None

    def _plain(self, text: str, event: Any) -> Any:
        try:
            return resolve(text)
        except NotHeldError as error:
            hint = "write it in quotes when it is meant as text"
            self._refuse("OSR-YAML-012", str(error), event, hint=hint)
            return None

    def _refuse_properties(self, event: Any) -> None:
        if event.anchor is not None:
            hint = "write the value out where it is needed; quote a text that starts with '&'"
            self._refuse("OSR-YAML-008", f"the anchor '&{event.anchor}' is not allowed", event, hint=hint)
        if event.tag is not None:
            hint = "remove it; quote a text that starts with '!'"
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse("OSR-YAML-009", f"the tag '{tag}' is not allowed", event, hint=hint)

    def _refuse(self, code: str, message: str, event: Any, *, hint: str | None = None) -> None:
        position = self._at(event.start_mark.index)
        self.findings.append(Diagnostic(code=code, message=message, position=position, hint=hint))
