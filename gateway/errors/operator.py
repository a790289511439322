"""What the person who runs this gateway must mend: config, keys, files, disk."""

from gateway.errors.tree import OperatorError
