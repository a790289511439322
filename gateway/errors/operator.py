"""What the person who runs this gateway must mend: config, keys, files, disk."""
