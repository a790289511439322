"""What a machine said that cannot be read."""

from gateway.errors.tree import DeviceError
