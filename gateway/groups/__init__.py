"""Who may read and who agrees: groups, sealing, and what members say they hold."""
