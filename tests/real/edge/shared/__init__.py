"""What tests/real/shared plays."""
