"""The chassis's own code under simulated time and faults: thousands of schedules, each decided by one seed."""
