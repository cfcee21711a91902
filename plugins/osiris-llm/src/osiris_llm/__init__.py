"""Model providers for Osiris."""
