"""A simulated payment provider: it stands outside the platform and imports nothing of it.

It speaks XBezahldienste as far as the published documentation shows it, by the derived and unverified description
`xbezahldienste-derived-openapi.json` beside this file. It claims no conformance to the standard. Read `app.py` first.
"""
