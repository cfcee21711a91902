"""Its import fails."""

raise RuntimeError("the licence server says no")
