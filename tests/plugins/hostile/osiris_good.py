"""It does nothing wrong."""

from osiris_core.api import (
    Capability,
    ComponentSpec,
    ConnectionSpec,
    DriverSpec,
    Example,
    Role,
    Secret,
    config,
    field,
    hookimpl,
)

OSIRIS_API = "1.0"


@config
class Extract:
    """Reads the good rows."""

    table: str = field(doc="The table to read.", min_length=1, examples=("orders",))
    limit: int | None = field(default=None, doc="How many rows at most.", minimum=0)


@config
class Connection:
    """A good server."""

    host: str = field(doc="Its name.", identity=True)
    password: Secret = field(doc="Its password.")


@hookimpl
def osiris_components():
    yield ComponentSpec(
        name="good.extractor",
        version="1.2.3",
        role=Role.EXTRACTOR,
        config=Extract,
        connection="good",
        summary="Reads good rows.",
        description="It reads them\nall.",
        hints=("Name the table in full.",),
        examples=(Example(title="All orders", config={"connection": "@good.main", "table": "orders"}),),
    )


@hookimpl
def osiris_drivers():
    return (
        DriverSpec(
            component="good.extractor", ref="osiris_good_driver:Driver", capabilities=frozenset({Capability.BINDS})
        ),
    )


@hookimpl
def osiris_connections():
    return [
        ConnectionSpec(
            family="good",
            config=Connection,
            summary="A good server.",
            doctor="osiris_good_driver:Doctor",
            example={"host": "${GOOD_HOST}", "password": "${GOOD_PASSWORD}"},
        )
    ]
