"""Pure rules of identity, one file an aggregate."""
