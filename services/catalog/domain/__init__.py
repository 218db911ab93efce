"""Pure rules of the catalog: towns, versions of services, what is wrong in one, and how one is found."""
