"""What tests/real/auth tries, a file for each kind of credential or server."""
