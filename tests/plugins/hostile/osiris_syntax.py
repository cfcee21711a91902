"""It is not Python."""

exec("def broken(:")
