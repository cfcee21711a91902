"""It imports a package that is not installed."""

import package_that_nobody_has  # noqa: F401
