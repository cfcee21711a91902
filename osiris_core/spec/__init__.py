"""The contracts between core and plugins: frozen descriptions and Protocols. ``osiris_core.api`` re-exports them."""
