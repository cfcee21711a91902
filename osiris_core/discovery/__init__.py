"""What stands behind a connection: asked of its discoverer, remembered, and put into relation."""
