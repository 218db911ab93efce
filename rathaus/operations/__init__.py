"""What an operator does with a running installation: look at events, prove them, replay them."""
