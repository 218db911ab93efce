"""Programs that stand outside the platform: none of them imports anything of it."""
