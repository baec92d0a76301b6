"""The pipelines that Ratchet's components are composed into."""
