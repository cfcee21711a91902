"""How good the conversation is: suites of wishes whose right answers are known."""
