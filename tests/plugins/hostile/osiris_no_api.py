"""It does not say which plugin API it was written for."""
