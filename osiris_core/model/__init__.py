"""Config classes: one declaration from which validation, JSON Schema, reference pages and secret marks come."""
