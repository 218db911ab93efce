"""A simulated population register: a clerk system that stands outside the platform and imports nothing of it.

It reads events from Kafka, fetches what they refer to through the gateway, and decides through the gateway. Read
`clerk.py` first.
"""
