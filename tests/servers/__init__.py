"""Servers that tests talk to: private ones, started from installed programs, on loopback, gone with the tests."""
