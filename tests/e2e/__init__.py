"""The whole platform as its users meet it: through the gateway, Kafka and the payment page, on real engines."""
