"""The Data API of Supabase (PostgREST over HTTPS)."""
