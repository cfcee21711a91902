"""What the plugins of SQL servers share; nothing here knows a server."""
