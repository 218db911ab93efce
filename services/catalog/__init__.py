"""The towns, and what each offers: services as data, reviewed, published, versioned and searchable."""
