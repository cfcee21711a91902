"""What the core itself offers, registered through the same hooks as any plugin."""
