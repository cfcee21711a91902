"""MySQL and MariaDB for Osiris."""
