"""The document model of OML: reading, parameters, the plan, and the one validator."""
