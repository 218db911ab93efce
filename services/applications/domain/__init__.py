"""The rules of applications: pure, without I/O and clock."""
