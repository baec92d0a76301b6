"""A task and a model of Ratchet's own that two CPU cores can really train."""
