"""The parts of tests/torture.py."""
