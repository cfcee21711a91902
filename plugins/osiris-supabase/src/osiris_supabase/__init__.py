"""Supabase for Osiris; what knows only PostgreSQL is in :mod:`osiris_supabase.postgres`."""
