"""The person at the keyboard interrupts while it is imported."""

raise KeyboardInterrupt
