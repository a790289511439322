"""What a machine said that cannot be read."""
