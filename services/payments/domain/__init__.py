"""The rules of demands, attempts to pay, and bookings: pure."""
