"""The scenes of tests/real/publish."""
