"""The conversation: from a sentence to an approved pipeline. The code drives; the model fills in three forms."""
