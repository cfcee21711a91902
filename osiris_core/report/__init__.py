"""What runs have left, read back; nothing here runs or changes anything."""
