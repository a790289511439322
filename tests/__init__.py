"""Every promise of the house, as a property that is checked."""
