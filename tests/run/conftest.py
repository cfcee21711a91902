from __future__ import annotations

from tests.run.workshop import remote_shop, shop

__all__ = ["remote_shop", "shop"]
