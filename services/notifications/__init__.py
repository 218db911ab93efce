"""What is told, and how: notices, the mailbox, e-mail."""
