"""Asks a connection's discoverer for what is wanted, from the cache as far as that is still true.

Profiles grow in stages over all tables - the server's statistics, a sample, all rows - until they are complete or the
time is over; what has been found by then stands, and says what it rests on.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from osiris_core.canonical import digest_bytes
from osiris_core.diagnostics import did_you_mean
from osiris_core.discovery.cache import Cache, Entry, key_of
from osiris_core.discovery.hiding import masked, without_secrets
from osiris_core.discovery.ranking import ranked
from osiris_core.discovery.relations import Related, Relation, place_of, relate
from osiris_core.display import counted
from osiris_core.errors import ConnectionUnusable, InvalidInput, OsirisError, PluginError, RunFailed
from osiris_core.model.structure import structure, unstructure
from osiris_core.plugins.containment import contained
from osiris_core.project.resolve import resolve
from osiris_core.secrets import ENVIRONMENT
from osiris_core.spec.catalog import SAMPLE_ROWS, STAGES, Deadline, Sample, Table, TableProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osiris_core.discovery.relations import Place
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connection_entry import ConnectionEntry
    from osiris_core.project.environment import Environment
    from osiris_core.project.paths import Project
    from osiris_core.redaction import Redactor
    from osiris_core.spec.behave import CatalogReader
    from osiris_core.spec.catalog import Basis, Overlap

T = TypeVar("T")

NO_TABLE: Final = "OSR-DSC-001"
LATE: Final = "OSR-DSC-002"
DEFECT: Final = "OSR-DSC-003"
NO_ROWS: Final = "OSR-DSC-004"

_VALUES: Final = 1000
_LISTED: Final = 8


@attrs.frozen(kw_only=True)
class Request:
    """What is wanted. ``tables`` are names or ``schema.name``; none means all. ``about`` is a question: then the
    ``most`` tables that fit it best are wanted. ``sample`` is a number of rows for each table, ``timeout`` the seconds
    for all of it, ``max_age`` the seconds for which what was found before still counts.
    """

    tables: tuple[str, ...] = ()
    about: str | None = None
    most: int = 5
    profile: bool = False
    sample: int = 0
    timeout: float = 60.0
    max_age: float = 86_400.0
    refresh: bool = False


@attrs.frozen(kw_only=True)
class FoundTable:
    """A table with what was wanted of it. ``stopped`` says why its profile is not complete; ``score`` how well it fits
    the question, when there was one.
    """

    table: Table
    score: float | None = None
    profile: TableProfile | None = None
    profile_cached: bool = False
    stopped: str | None = None
    sample: Sample | None = None


@attrs.frozen(kw_only=True)
class Discovery:
    """What was found behind a connection.

    ``made`` is when the tables were listed (seconds since 1970), ``cached`` whether that was an earlier time.
    ``complete`` says that no table is missing. ``others`` are the labels of tables that were not asked for.
    """

    ref: str
    family: str
    key: str
    fingerprint: str
    made: float
    cached: bool
    complete: bool
    tables: tuple[FoundTable, ...]
    others: tuple[str, ...]
    relations: tuple[Relation, ...]
    notes: tuple[str, ...] = ()

    @property
    def made_at(self) -> str:
        """``made`` in ISO 8601, UTC."""
        return datetime.fromtimestamp(self.made, tz=UTC).isoformat(timespec="seconds")


def discover(
    entry: ConnectionEntry,
    request: Request,
    *,
    project: Project,
    environment: Environment,
    registry: Registry,
    redactor: Redactor,
    done: Callable[[str], None] = lambda _: None,
) -> Discovery:
    """Look behind the connection ``entry``; ``done`` hears of each step of the work as a short text.

    Raises PluginError when its family has no discoverer or that fails in a way of its own, ConnectionUnusable when the
    connection does not work or does not answer in time, and InvalidInput for a table that is not there.
    """
    spec = registry.discoverer(entry.family)
    config = resolve(entry, environment=environment, registry=registry, redactor=redactor)
    cache = Cache.of(project, redactor)
    deadline = Deadline.after(request.timeout)
    plugin = registry.load(spec.ref)
    asking = _Asking(entry, request)
    reader: CatalogReader = asking.ask(
        lambda: plugin().open(config, project_root=project.root, deadline=deadline), late=True
    )
    try:
        fingerprint = digest_bytes(str(asking.ask(reader.fingerprint, late=True)).encode("utf-8", "surrogatepass"))

        def key(what: str, **options: Any) -> str:
            return key_of(what, options, entry=entry, config=config, registry=registry, redactor=redactor)

        return _Work(asking, reader, cache, fingerprint, key, deadline, done).discovery()
    finally:
        contained(reader.close)


def listed_before(
    entry: ConnectionEntry,
    *,
    project: Project,
    environment: Environment,
    registry: Registry,
    redactor: Redactor,
) -> tuple[Table, ...]:
    """The tables of ``entry`` as they were listed last, which may have changed since: nobody is asked, no server and no
    secret store. Empty when nothing is kept, or what is kept cannot be found without asking.
    """
    if any(reference.scheme != ENVIRONMENT for _, reference in entry.references()):
        return ()
    try:
        config = resolve(entry, environment=environment, registry=registry, redactor=redactor)
        key = key_of("tables", {}, entry=entry, config=config, registry=registry, redactor=redactor)
    except OsirisError:
        return ()
    kept = Cache.of(project, redactor).read(key)
    return (_structured(Table, kept.value) if kept else None) or ()


@attrs.frozen
class _Asking:
    """Calls of a plugin's reader, with whatever goes wrong in them made plain."""

    entry: ConnectionEntry
    request: Request

    def ask(self, action: Callable[[], T], *, late: bool = False) -> T:
        """The result of ``action``. TimeoutError passes, unless ``late``: then nothing can be said without it."""
        outcome = contained(action)
        if outcome.failure is None:
            return outcome.get()
        error = outcome.failure.error
        if isinstance(error, TimeoutError):
            if not late:
                raise error
            raise self.late(error) from error
        if isinstance(error, OsirisError):
            raise error
        message = f"the discoverer of family '{self.entry.family}' failed: {outcome.failure.message}"
        raise PluginError(DEFECT, message) from error

    def late(self, error: BaseException) -> ConnectionUnusable:
        """The error for a time that passed before anything was known."""
        why = f": {error}" if str(error) else ""
        message = f"{self.entry.ref} did not answer within {self.request.timeout:g} seconds{why}"
        return ConnectionUnusable(LATE, message, where=self.entry.where)


class _Work:
    """One discovery while it goes on."""

    def __init__(
        self,
        asking: _Asking,
        reader: CatalogReader,
        cache: Cache,
        fingerprint: str,
        key: Callable[..., str],
        deadline: Deadline,
        done: Callable[[str], None],
    ) -> None:
        self._asking = asking
        self._request = asking.request
        self._reader = reader
        self._cache = cache
        self._fingerprint = fingerprint
        self._key = key
        self._deadline = deadline
        self._done = done
        self._notes: list[str] = []
        self._scores: dict[Place, float] = {}
        self._profiles: dict[Place, TableProfile] = {}
        self._known: set[Place] = set()
        self._stopped: dict[Place, str] = {}

    def discovery(self) -> Discovery:
        """All that is wanted."""
        key = self._key("tables")
        tables, made, cached, complete = self._tables(key)
        if self._request.about is None:
            chosen = self._chosen(tables, complete=complete)
        else:
            chosen = self._fitting(tables, self._request.about)
        samples = {place_of(table): self._sample(table) for table in chosen} if self._request.sample else {}
        if self._request.profile:
            self._profile(chosen)
        places = {place_of(table) for table in chosen}
        return Discovery(
            ref=self._asking.entry.ref,
            family=self._asking.entry.family,
            key=key,
            fingerprint=self._fingerprint,
            made=made,
            cached=cached,
            complete=complete,
            tables=tuple(self._found(table, samples.get(place_of(table))) for table in chosen),
            others=tuple(table.label for table in tables if place_of(table) not in places),
            relations=self._relations(tables, chosen),
            notes=tuple(self._notes),
        )

    # Tables

    def _tables(self, key: str) -> tuple[tuple[Table, ...], float, bool, bool]:
        """The tables, when they were listed, whether that was before, and whether none is missing."""
        entry = self._cached(key)
        if entry is not None:
            known = _structured(Table, entry.value)
            if known is not None:
                return known, entry.made, True, True
        found: list[Table] = []

        def collect() -> None:
            found.extend(self._reader.tables())

        complete = True
        try:
            self._asking.ask(collect)
        except TimeoutError as error:
            complete = False
            if not found:
                raise self._asking.late(error) from error
        if not all(isinstance(table, Table) for table in found):
            message = f"the discoverer of family '{self._asking.entry.family}' returned something that is no table"
            raise PluginError(DEFECT, message)
        made = time.time()
        if complete:
            self._keep(key, found, made)
        self._done(counted(len(found), "table"))
        return tuple(found), made, False, complete

    def _chosen(self, tables: Sequence[Table], *, complete: bool) -> tuple[Table, ...]:
        chosen: dict[Place, Table] = {}
        for name in self._request.tables:
            fitting = [table for table in tables if name in (table.name, table.label)]
            if not fitting:
                raise self._no_table(name, tables, complete=complete)
            chosen |= {place_of(table): table for table in fitting}
        return tuple(chosen.values()) if self._request.tables else tuple(tables)

    def _fitting(self, tables: Sequence[Table], question: str) -> tuple[Table, ...]:
        """The tables that fit best, by names, comments and what relations they have by those."""
        related = relate(tables, {}, check=self._deadline.check)
        found = ranked(tables, related.relations, question)
        self._scores = {place_of(table): round(score, 2) for table, score in found}
        return tuple(table for table, score in found[: self._request.most] if score > 0)

    def _no_table(self, name: str, tables: Sequence[Table], *, complete: bool) -> InvalidInput:
        names = [*(table.label for table in tables), *(table.name for table in tables)]
        some = ", ".join(table.label for table in tables[:_LISTED]) + (", …" if len(tables) > _LISTED else "")
        hint = did_you_mean(name, names) or (f"there is {some}" if tables else "there is none at all")
        late = "" if complete else f" among those that were read within {self._request.timeout:g} seconds"
        return InvalidInput(NO_TABLE, f"{self._asking.entry.ref} has no table '{name}'{late}", hint=hint)

    def _found(self, table: Table, sample: Sample | None) -> FoundTable:
        place = place_of(table)
        return FoundTable(
            table=table,
            score=self._scores.get(place),
            profile=self._profiles.get(place),
            profile_cached=place in self._known,
            stopped=self._stopped.get(place),
            sample=sample,
        )

    # Profiles and samples

    def _profile(self, chosen: Sequence[Table]) -> None:
        open_: list[Table] = []
        for table in chosen:
            known = self._known_profile(table)
            if known is not None:
                self._profiles[place_of(table)] = known
                self._known.add(place_of(table))
            elif table.columns:
                open_.append(table)
        open_.sort(key=lambda table: (table.rows is None, table.rows or 0))
        for basis in STAGES:
            open_ = [table for table in open_ if self._advance(table, basis)]
        for table in chosen:
            place = place_of(table)
            profile = self._profiles.get(place)
            if profile is not None and place not in self._known:
                self._keep(self._profile_key(table), [profile], time.time())

    def _advance(self, table: Table, basis: Basis) -> bool:
        """Profile ``table`` on ``basis``; whether it is worth going on to the next."""
        if basis == "sample" and table.rows is not None and table.rows <= SAMPLE_ROWS:
            return True
        place = place_of(table)
        try:
            self._deadline.check()
            found = self._asking.ask(lambda: self._reader.profile(table, basis=basis))
        except TimeoutError:
            self._stopped[place] = f"the time was over ({self._request.timeout:g} seconds)"
            return False
        except RunFailed as error:
            self._stopped[place] = f"{error.code}: {error.message}"
            return False
        if found is None:
            return True
        self._profiles[place] = without_secrets(found, table)
        self._done(f"{table.label}: {found.basis}")
        return found.basis != "full"

    def _sample(self, table: Table) -> Sample | None:
        if not table.columns:
            return None
        place = place_of(table)
        try:
            self._deadline.check()
            found = self._asking.ask(lambda: self._reader.sample(table, rows=self._request.sample))
        except TimeoutError:
            self._notes.append(f"{table.label}: no sample, the time was over")
            return None
        except RunFailed as error:
            if len(self._request.tables) == 1:
                raise RunFailed(NO_ROWS, f"no rows of '{table.label}': {error.message}", hint=error.hint) from error
            self._stopped.setdefault(place, f"{error.code}: {error.message}")
            return None
        return masked(found, table)

    def _profile_key(self, table: Table) -> str:
        return self._key("profile", schema=table.schema, table=table.name)

    def _known_profile(self, table: Table) -> TableProfile | None:
        entry = self._cached(self._profile_key(table))
        known = _structured(TableProfile, entry.value) if entry else None
        if entry is None or not known:
            return None
        # One that was cut short is worth repeating when there is more time.
        return known[0] if known[0].basis == "full" or entry.timeout >= self._request.timeout else None

    # Relations

    def _relations(self, tables: Sequence[Table], chosen: Sequence[Table]) -> tuple[Relation, ...]:
        some = bool(self._request.tables) or self._request.about is not None
        options = {
            "tables": sorted(table.label for table in chosen) if some else None,
            "profile": self._request.profile,
        }
        key = self._key("relations", **options)
        fresh = self._profiles.keys() - self._known
        entry = self._cached(key) if self._request.profile and not fresh else None
        known = _structured(Relation, entry.value) if entry else None
        if known is not None:
            again = relate(tables, self._profiles, check=self._deadline.check)
            self._notes += _missing(attrs.evolve(again, late=False))
            return known
        stopped = False

        def look(table: Table, column: str, other: Table, other_column: str) -> Overlap | None:
            nonlocal stopped
            with suppress(RunFailed):
                try:
                    self._deadline.check()
                    return self._asking.ask(
                        lambda: self._reader.overlap(table, column, other, other_column, values=_VALUES)
                    )
                except TimeoutError:
                    stopped = True
            return None

        wanted = {place_of(table) for table in chosen}
        related = relate(tables, self._profiles, look if self._request.profile else None, check=self._deadline.check)
        self._notes += _missing(related)
        found = tuple(
            one
            for one in related.relations
            if (one.schema, one.table) in wanted or (one.to_schema, one.to_table) in wanted
        )
        if stopped:
            self._notes.append("the time was over before all suggested relations could be compared by value")
        elif self._request.profile and not related.late:
            self._keep(key, found, time.time())
        return found

    # The cache

    def _cached(self, key: str) -> Entry | None:
        if self._request.refresh:
            return None
        entry = self._cache.read(key)
        return entry if entry and entry.is_fresh(self._fingerprint, self._request.max_age) else None

    def _keep(self, key: str, values: Sequence[Any], made: float) -> None:
        value = [unstructure(one) for one in values]
        entry = Entry(fingerprint=self._fingerprint, made=made, timeout=self._request.timeout, value=value)
        problem = self._cache.write(key, entry)
        note = f"what was found cannot be kept below '{self._cache.folder.name}': {problem}"
        if problem and note not in self._notes:
            self._notes.append(note)


def _missing(related: Related) -> list[str]:
    """What is missing among suggested relations, in words."""
    notes = []
    if related.cut:
        notes.append(f"{related.cut:,} columns may refer to more tables than are shown; the likeliest are")
    if related.late:
        notes.append("the time was over before all columns could be compared by name")
    return notes


def _structured(cls: type[T], value: Any) -> tuple[T, ...] | None:
    """The values of a cached entry; None when one does not fit, which makes the entry none."""
    if not isinstance(value, list):
        return None
    made = [structure(cls, item)[0] for item in value]
    return None if any(item is None for item in made) else tuple(item for item in made if item is not None)
