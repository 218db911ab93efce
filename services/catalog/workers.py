"""Due work: none. What is in force is a question of the day on which it is asked."""
