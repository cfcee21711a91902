"""From OML to a manifest: pure, deterministic, secret-free."""
