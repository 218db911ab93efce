"""The public language of Rathaus: envelope, topics and event models. Imports `kernel` only.

`contracts.catalogue.EVENTS` lists every event type; `python -m contracts.generate` writes the JSON Schemas and the
AsyncAPI document beside the code.
"""
