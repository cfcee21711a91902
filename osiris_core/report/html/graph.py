"""The picture of a pipeline: its steps in layers from left to right, edges as curves between them.

A layered drawing after Sugiyama, Tagawa and Toda (1981) in its simplest form: a step's layer is the longest way to it,
an edge over several layers passes a bend in each of them, the order within a layer is improved by barycentres, and
heights are then drawn towards the neighbours' as far as there is room. Edges that point backwards, which only a made-up
record has, are left out. Units are pixels.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH: Final = 204.0
HEIGHT: Final = 56.0
_GAP_X: Final = 136.0
_GAP_Y: Final = 22.0
_BEND: Final = 18.0
"""The room a passing edge takes within a layer."""
_LEVEL: Final = 58.0
"""How far an edge runs level beside its label, which stands half above and half below it."""
_MARGIN: Final = 8.0
_PORT: Final = 13.0
"""Between the ends of edges at the side of a step."""
_SWEEPS: Final = 6

MAX_NODES: Final = 300
MAX_POINTS: Final = 6_000
"""Of steps, edges and bends together; beyond that a drawing is no use to anybody."""


@attrs.frozen(kw_only=True)
class Node:
    """A step at its place: upper left corner."""

    id: str
    x: float
    y: float


@attrs.frozen(kw_only=True)
class Edge:
    """A connection: the data of an SVG path, and where its label stands, to the right or left of (x, y)."""

    source: str
    target: str
    path: str
    x: float
    y: float
    anchor: str
    """``start`` beside the source, ``end`` beside the target."""


@attrs.frozen(kw_only=True)
class Drawing:
    """Everything at its place, and how large it is."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


_Point = tuple[str, int]
"""A step, or its edge's bend: the edge's number with its layer. A step is ``(id, -1)``."""


def draw(needs: Mapping[str, Sequence[str]]) -> Drawing | None:
    """The drawing of steps and what each needs, given in the order of execution; None for one that is too large."""
    if not needs or len(needs) > MAX_NODES:
        return None
    layer, links = _layers(needs)
    if len(needs) + len(links) + sum(layer[target] - layer[source] - 1 for source, target in links) > MAX_POINTS:
        return None
    chains = [_chain(index, link, layer) for index, link in enumerate(links)]
    columns = _columns(needs, layer, links)
    before, after = _neighbours(chains)
    for sweep in range(_SWEEPS):
        _sort(columns, before if sweep % 2 == 0 else after, down=sweep % 2 == 0)
    heights = _heights(columns, before, after)
    return _drawing(columns, heights, links, chains)


def _layers(needs: Mapping[str, Sequence[str]]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    layer: dict[str, int] = {}
    links: list[tuple[str, str]] = []
    for step, sources in needs.items():
        known = [source for source in dict.fromkeys(sources) if source in layer]
        layer[step] = max((layer[source] + 1 for source in known), default=0)
        links += [(source, step) for source in known]
    users: dict[str, list[int]] = {}
    for source, target in links:
        users.setdefault(source, []).append(layer[target])
    # A step without inputs stands beside those that use it, not at the far end.
    for step in set(users) - {target for _, target in links}:
        layer[step] = min(users[step]) - 1
    return layer, links


def _chain(index: int, link: tuple[str, str], layer: Mapping[str, int]) -> list[_Point]:
    source, target = link
    bends: list[_Point] = [(f"{index}", level) for level in range(layer[source] + 1, layer[target])]
    return [(source, -1), *bends, (target, -1)]


def _columns(needs: Iterable[str], layer: Mapping[str, int], links: Iterable[tuple[str, str]]) -> list[list[_Point]]:
    columns: list[list[_Point]] = [[] for _ in range(max(layer.values()) + 1)]
    for step in needs:
        columns[layer[step]].append((step, -1))
    for index, (source, target) in enumerate(links):
        for level in range(layer[source] + 1, layer[target]):
            columns[level].append((f"{index}", level))
    return columns


_Neighbours = dict[_Point, list[_Point]]


def _neighbours(chains: Iterable[list[_Point]]) -> tuple[_Neighbours, _Neighbours]:
    before: _Neighbours = {}
    after: _Neighbours = {}
    for chain in chains:
        for left, right in pairwise(chain):
            before.setdefault(right, []).append(left)
            after.setdefault(left, []).append(right)
    return before, after


def _sort(columns: list[list[_Point]], neighbours: _Neighbours, *, down: bool) -> None:
    """Bring each layer into the order of its neighbours' places, from one end of the drawing to the other."""
    place = {point: index for column in columns for index, point in enumerate(column)}
    for column in columns if down else reversed(columns):
        weight = {
            point: sum(place[one] for one in near) / len(near) if (near := neighbours.get(point)) else place[point]
            for point in column
        }
        column.sort(key=weight.__getitem__)
        place |= {point: index for index, point in enumerate(column)}


def _size(point: _Point) -> float:
    return HEIGHT if point[1] < 0 else _BEND


def _heights(columns: list[list[_Point]], before: _Neighbours, after: _Neighbours) -> dict[_Point, float]:
    """The middle of each point: stacked first, then moved towards the neighbours' as far as the order allows."""
    middle: dict[_Point, float] = {}
    for column in columns:
        total = sum(map(_size, column)) + _GAP_Y * (len(column) - 1)
        at = -total / 2
        for point in column:
            middle[point] = at + _size(point) / 2
            at += _size(point) + _GAP_Y
    for sweep in range(2 * _SWEEPS):
        down = sweep % 2 == 0
        for column in columns if down else reversed(columns):
            near = before if down else after
            _settle(column, middle, near)
    return middle


def _settle(column: list[_Point], middle: dict[_Point, float], near: _Neighbours) -> None:
    """Put a layer's points where their neighbours are; of those that would overlap, as one block in the middle."""
    blocks: list[tuple[list[_Point], float, float]] = []  # points, sum of wanted tops relative to block, height
    for point in column:
        ends = near.get(point)
        wanted = sum(middle[one] for one in ends) / len(ends) if ends else middle[point]
        block = ([point], wanted - _size(point) / 2, _size(point))
        while blocks and blocks[-1][1] + blocks[-1][2] + _GAP_Y > block[1]:
            points, top, height = blocks.pop()
            count, more = len(points), len(block[0])
            joined = (top * count + (block[1] - height - _GAP_Y) * more) / (count + more)
            block = (points + block[0], joined, height + _GAP_Y + block[2])
        blocks.append(block)
    for points, top, _ in blocks:
        at = top
        for point in points:
            middle[point] = at + _size(point) / 2
            at += _size(point) + _GAP_Y


def _drawing(
    columns: list[list[_Point]],
    middle: Mapping[_Point, float],
    links: Sequence[tuple[str, str]],
    chains: Sequence[list[_Point]],
) -> Drawing:
    top = min(middle[point] - _size(point) / 2 for column in columns for point in column) - _MARGIN
    bottom = max(middle[point] + _size(point) / 2 for column in columns for point in column) + _MARGIN
    left = {point: _MARGIN + index * (WIDTH + _GAP_X) for index, column in enumerate(columns) for point in column}
    nodes = tuple(
        Node(id=point[0], x=_round(left[point]), y=_round(middle[point] - HEIGHT / 2 - top))
        for column in columns
        for point in column
        if point[1] < 0
    )
    leaving, arriving = _ports(links, chains, middle)
    edges = []
    for index, (chain, (source, target)) in enumerate(zip(chains, links, strict=True)):
        start = (left[chain[0]] + WIDTH, middle[chain[0]] - top + leaving[index][0])
        end = (left[chain[-1]], middle[chain[-1]] - top + arriving[index][0])
        bends = [(left[point], middle[point] - top) for point in chain[1:-1]]
        beside_source = leaving[index][1] <= arriving[index][1]
        edges.append(
            Edge(
                source=source,
                target=target,
                path=_path(start, bends, end, level_first=beside_source),
                x=_round(start[0] + 8 if beside_source else end[0] - 12),
                y=_round((start if beside_source else end)[1]),
                anchor="start" if beside_source else "end",
            )
        )
    width = 2 * _MARGIN + len(columns) * WIDTH + (len(columns) - 1) * _GAP_X
    return Drawing(width=_round(width), height=_round(bottom - top), nodes=nodes, edges=tuple(edges))


_Ports = list[tuple[float, int]]


def _ports(
    links: Sequence[tuple[str, str]], chains: Sequence[list[_Point]], middle: Mapping[_Point, float]
) -> tuple[_Ports, _Ports]:
    """For each edge how far above or below the middle it leaves and arrives, and how many do so at that side."""
    found: list[_Ports] = []
    for end, other in ((0, 1), (1, -2)):
        beside: dict[str, list[int]] = {}
        for index, link in enumerate(links):
            beside.setdefault(link[end], []).append(index)
        ports: _Ports = [(0.0, 1)] * len(links)
        for edges in beside.values():
            edges.sort(key=lambda index: middle[chains[index][other]])
            gap = min(_PORT, (HEIGHT - 12) / max(len(edges) - 1, 1))
            for place, index in enumerate(edges):
                ports[index] = ((place - (len(edges) - 1) / 2) * gap, len(edges))
        found.append(ports)
    return found[0], found[1]


def _path(
    start: tuple[float, float], bends: Iterable[tuple[float, float]], end: tuple[float, float], *, level_first: bool
) -> str:
    """Level beside the label, which stands at the source or at the target, and across each layer that is passed."""
    x, y = start
    parts = [f"M{_figure(x)} {_figure(y)}"]
    if level_first:
        x += _LEVEL
        parts.append(f"H{_figure(x)}")
    for bend_x, bend_y in bends:
        parts.append(_curve(x, y, bend_x, bend_y))
        x, y = bend_x + WIDTH, bend_y
        parts.append(f"H{_figure(x)}")
    parts.append(_curve(x, y, end[0] - (0 if level_first else _LEVEL), end[1]))
    if not level_first:
        parts.append(f"H{_figure(end[0])}")
    return "".join(parts)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    half = (x + to_x) / 2
    points = (half, y, half, to_y, to_x, to_y)
    return "C" + " ".join(map(_figure, points))


def _figure(value: float) -> str:
    return f"{_round(value):g}"


def _round(value: float) -> float:
    return round(value, 1)
